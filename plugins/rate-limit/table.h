/*
 * Buckets that all workers share, by a hash of what they are for. Of fixed size: two words to a
 * bucket, eight buckets to a set. A bucket that is there is used without a lock; one of a few dozen
 * is held while a key moves in. Any thread.
 *
 * A bucket that is full again is free for another key. When a set has none, the newcomer takes over
 * the one that will be full first, with what is missing in it: memory stays bounded under a flood
 * of addresses, nobody gets a fresh bucket by flooding, and who has used most keeps its bucket
 * longest.
 *
 * Counts are exact across workers, but when a bucket is taken over in the moment that its old key
 * is used: that token is booked to the new one.
 */
#ifndef RATE_LIMIT_TABLE_H
#define RATE_LIMIT_TABLE_H

#include "bucket.h"
#include <stddef.h>

struct table;

/* `buckets` is rounded up to a power of two of at least 8. NULL without memory. */
struct table *table_create(size_t buckets);
void table_destroy(struct table *t); /* NULL is fine */

/* bucket_take on the bucket of `key`, a hash of good quality. `*evicted` is set to true when a
 * bucket was taken over that was not full. */
enum bucket_answer table_take(struct table *t, uint64_t key, const struct bucket_limit *limit,
    uint64_t n, uint64_t now_ns, uint64_t patience_ns, uint64_t *wait_ns, bool *evicted);
/* Give n tokens back that were taken under this limit just now. */
void table_give(struct table *t, uint64_t key, const struct bucket_limit *limit, uint64_t n);

#endif
