/* SipHash-2-4: buckets are found by a hash that nobody outside can steer. Pure. */
#ifndef RATE_LIMIT_HASH_H
#define RATE_LIMIT_HASH_H

#include <hubbub/types.h>

struct hash_secret {
    uint64_t k[2];
};

uint64_t hash_bytes(const struct hash_secret *secret, const void *bytes, size_t n);

#endif
