#include "hash.h"
#include <string.h>

/* https://www.aumasson.jp/siphash/siphash.pdf, section 2 */

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void mix(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    round_of(v);
    round_of(v);
    v[0] ^= word;
}

static uint64_t little_endian(const unsigned char *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(const struct hash_secret *secret, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t v[4] = {secret->k[0] ^ 0x736f6d6570736575, secret->k[1] ^ 0x646f72616e646f6d,
        secret->k[0] ^ 0x6c7967656e657261, secret->k[1] ^ 0x7465646279746573};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        mix(v, little_endian(p + i, 8));
    mix(v, little_endian(p + i, n - i) | (uint64_t)n << 56);
    v[2] ^= 0xff;
    for (int round = 0; round < 4; round++)
        round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
