#include "worker.h"
#include <string.h>
#include <time.h>

hb_str worker_prefix(const struct worker *w)
{
    return (hb_str){worker_shared(w)->first->prefix, worker_shared(w)->n_prefix};
}

hb_str worker_key(const struct worker *w, char kind, hb_str name, char out[static KEY_MAX])
{
    hb_str prefix = worker_prefix(w);
    size_t n = prefix.n;
    memcpy(out, prefix.p, n);
    out[n] = ':';
    out[n + 1] = kind;
    out[n + 2] = ':';
    memcpy(out + n + 3, name.p, name.n);
    return (hb_str){out, n + 3 + name.n};
}

uint64_t worker_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
