#include "bucket.h"

static const double MOST_NS = 9e17; /* 28 years: sums of a few stay within 64 bits */

static uint64_t ns_of(double ns)
{
    return (uint64_t)(ns < MOST_NS ? ns : MOST_NS);
}

struct bucket_limit bucket_limit(double per_second, double burst)
{
    double token_ns = 1e9 / per_second;
    return (struct bucket_limit){token_ns, ns_of(token_ns * burst)};
}

/* Rounded down, like the depth: `burst` takes of one token always fit. */
uint64_t bucket_cost(const struct bucket_limit *limit, uint64_t n)
{
    return ns_of(limit->token_ns * (double)n);
}

enum bucket_answer bucket_take(uint64_t *full_ns, const struct bucket_limit *limit, uint64_t n,
    uint64_t now_ns, uint64_t patience_ns, uint64_t *wait_ns)
{
    uint64_t cost = bucket_cost(limit, n), most = limit->depth_ns + patience_ns;
    uint64_t missing = *full_ns > now_ns ? *full_ns - now_ns : 0;
    if (cost > limit->depth_ns)
        return BUCKET_NEVER;
    if (missing > most) {
        missing = most;
        *full_ns = now_ns + most;
    }
    uint64_t after = missing + cost;
    *wait_ns = after > limit->depth_ns ? after - limit->depth_ns : 0;
    if (after > most)
        return BUCKET_EMPTY;
    *full_ns = now_ns + after;
    return BUCKET_TAKEN;
}
