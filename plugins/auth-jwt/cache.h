/*
 * Tokens that were found good a moment ago, so that a storm of reconnects does not verify each
 * again. Bounded in entries and in bytes; keyed by SHA-256, so no token stays in memory. The caller
 * clears it when keys or policy change, and asks the clock again (verify_times) on each hit. One
 * thread.
 */
#ifndef AUTH_JWT_CACHE_H
#define AUTH_JWT_CACHE_H

#include "verify.h"

enum { CACHE_CLAIMS_MAX = 4096 }; /* bytes of one entry's claims; bigger ones are not kept */

struct cache;

struct cache_key {
    unsigned char digest[32];
};

/* At most `entries` (rounded up to a power of two, at least 4), each for ttl_ms. Entries or ttl 0:
 * remembers nothing. NULL without memory. */
struct cache *cache_create(size_t entries, uint64_t ttl_ms);
void cache_destroy(struct cache *c); /* NULL is fine */
void cache_clear(struct cache *c);

struct cache_key cache_key(hb_str token);
/* Borrowed until the next call that is not cache_get; NULL: not there, or too old. */
const struct claims *cache_get(const struct cache *c, const struct cache_key *key, uint64_t now_ms);
/* True: `claims` is the cache's now. False: it stays the caller's. */
bool cache_put(
    struct cache *c, const struct cache_key *key, struct claims *claims, uint64_t now_ms);

#endif
