/*
 * Token buckets as arithmetic on one number: a bucket is the moment at which it will be full again
 * (0: it is). What it holds at `now` is its depth less the time that is still missing; taking moves
 * the moment on. So a bucket that is full is the same as none, which is what makes table.c simple.
 *
 * Pure. Time in nanoseconds of a monotonic clock.
 */
#ifndef RATE_LIMIT_BUCKET_H
#define RATE_LIMIT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket_limit {
    double token_ns;   /* in which one token comes back */
    uint64_t depth_ns; /* in which an empty bucket fills */
};

enum bucket_answer {
    BUCKET_TAKEN, /* to be used after `wait_ns`, which is 0 without patience */
    BUCKET_EMPTY, /* nothing taken: enough is there after `wait_ns` */
    BUCKET_NEVER, /* nothing taken: more than it can ever hold */
};

/* per_second and burst above 0. */
struct bucket_limit bucket_limit(double per_second, double burst);

/* Take n tokens, or those that come within patience_ns. A bucket whose limit changed keeps the time
 * that it needs to fill, but for what the new depth makes shorter. */
enum bucket_answer bucket_take(uint64_t *full_ns, const struct bucket_limit *limit, uint64_t n,
    uint64_t now_ns, uint64_t patience_ns, uint64_t *wait_ns);
/* The time that n tokens are worth: taking them back off `full_ns` gives them back. */
uint64_t bucket_cost(const struct bucket_limit *limit, uint64_t n);

#endif
