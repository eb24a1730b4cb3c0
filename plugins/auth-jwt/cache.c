#include "cache.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 }; /* places that one token may be in */

struct entry {
    struct cache_key key;
    struct claims *claims; /* owned; NULL: free */
    uint64_t stored_ms;
};

struct cache {
    size_t n; /* 0 or a power of two of at least WAYS */
    uint64_t ttl_ms;
    struct entry entries[];
};

struct cache *cache_create(size_t entries, uint64_t ttl_ms)
{
    size_t n = entries && ttl_ms ? WAYS : 0;
    while (n && n < entries)
        n *= 2;
    struct cache *c = calloc(1, sizeof(*c) + n * sizeof(struct entry));
    if (c) {
        c->n = n;
        c->ttl_ms = ttl_ms;
    }
    return c;
}

void cache_clear(struct cache *c)
{
    for (size_t i = 0; i < c->n; i++) {
        claims_free(c->entries[i].claims);
        c->entries[i] = (struct entry){0};
    }
}

void cache_destroy(struct cache *c)
{
    if (c)
        cache_clear(c);
    free(c);
}

struct cache_key cache_key(hb_str token)
{
    struct cache_key key = {{0}};
    if (EVP_Digest(token.p, token.n, key.digest, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* SHA-256 can't fail but for want of a few bytes */
    return key;
}

static size_t set_of(const struct cache *c, const struct cache_key *key)
{
    uint64_t bits;
    memcpy(&bits, key->digest, sizeof(bits));
    return (size_t)bits & (c->n - 1) & ~(size_t)(WAYS - 1);
}

const struct claims *cache_get(const struct cache *c, const struct cache_key *key, uint64_t now_ms)
{
    if (!c->n)
        return NULL;
    const struct entry *set = c->entries + set_of(c, key);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].claims && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return now_ms - set[i].stored_ms < c->ttl_ms ? set[i].claims : NULL;
    return NULL;
}

/* The same token's place, else a free one, else the oldest. */
static struct entry *choose(struct entry *set, const struct cache_key *key)
{
    struct entry *best = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].claims && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return &set[i];
        if (best->claims && (!set[i].claims || set[i].stored_ms < best->stored_ms))
            best = &set[i];
    }
    return best;
}

bool cache_put(struct cache *c, const struct cache_key *key, struct claims *claims, uint64_t now_ms)
{
    if (!c->n || claims->size > CACHE_CLAIMS_MAX)
        return false;
    struct entry *e = choose(c->entries + set_of(c, key), key);
    claims_free(e->claims);
    *e = (struct entry){*key, claims, now_ms};
    return true;
}
