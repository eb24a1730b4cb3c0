#include "base/rand.h"
#include "base/check.h"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

void rand_bytes(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        CHECK_INVARIANT(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof v);
    return v;
}

uint64_t rand_below(uint64_t bound)
{
    CHECK_INVARIANT(bound > 0);
    uint64_t uneven = -bound % bound; /* 2^64 mod bound: values below come once too often */
    uint64_t v;
    do
        v = rand_u64();
    while (v < uneven);
    return v % bound;
}

/* SipHash (Aumasson, Bernstein 2012) with 1 compression and 3 finalisation rounds. */
struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* Up to 8 bytes, little-endian, zero-filled. */
static inline uint64_t load(const void *p, size_t n)
{
    uint64_t word = 0;
    if (n > 0)
        memcpy(&word, p, n);
    return le64toh(word);
}

uint64_t hash_siphash13(hb_str s, const uint8_t key[16])
{
    uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
    struct sip sip = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
        k1 ^ 0x7465646279746573};
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        sip_word(&sip, load(s.p + i, 8));
    sip_word(&sip, load(s.n ? s.p + whole : NULL, s.n - whole) | (uint64_t)s.n << 56);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

uint64_t hash_stable(hb_str s)
{
    static const uint8_t KEY[16] = "hubbub's rooms 1";
    return hash_siphash13(s, KEY);
}
