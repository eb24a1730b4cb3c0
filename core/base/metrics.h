/*
 * Metrics: numbers that each thread keeps for itself and that are added up when somebody reads.
 *
 * A *family* has a name, a help line and a kind; a *series* is a family with one set of labels, and
 * owns consecutive slots in every shard. A *shard* is one thread's array of slots: only that thread
 * writes to it, with plain relaxed stores, and no two shards share a cache line.
 *
 * Registering is for the control thread. It never moves anything, so that other threads may add to
 * known series and read all of them meanwhile. Series are never removed.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"
#include <stdatomic.h>

/* A series: its first slot. METRIC_NONE stands for "not registered": adding to it is harmless. */
typedef uint32_t metric_id;

enum {
    METRIC_NONE,
    METRICS_SLOTS = 8192,       /* bound of all series together */
    METRICS_SERIES_MAX = 4096,
    METRICS_FAMILIES_MAX = 512,
    METRICS_BUCKETS = 16,       /* of every histogram, without +Inf */
    METRICS_HISTOGRAM_SLOTS = METRICS_BUCKETS + 2, /* buckets, +Inf, sum in nanoseconds */
};

enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,         /* the sum of what the threads added and took away */
    METRIC_SECONDS_MAX,   /* a gauge: the largest that any thread last set, in seconds */
    METRIC_UP,            /* a gauge: 1 until some thread says that it sees it down, then 0 */
    METRIC_HISTOGRAM,     /* of seconds */
};

/* Upper bounds of the buckets in nanoseconds, rising. */
extern const uint64_t metrics_bounds_ns[METRICS_BUCKETS];

struct metrics_shard {
    _Alignas(64) _Atomic uint64_t slots[METRICS_SLOTS];
};

struct metrics;

struct metrics *metrics_create(int workers);
void metrics_destroy(struct metrics *m); /* after all its threads; NULL is fine */
/* A worker's shard, or with -1 the control thread's. Lives as long as `m`. */
struct metrics_shard *metrics_shard(struct metrics *m, int worker);

/*
 * Control thread. `name` and `help` as in Prometheus: a counter's name ends in _total, no other's
 * does, help is not empty. `labels` is NULL or "name=\"value\",…" as metrics_label makes it. All
 * is copied. What is registered already gives the same id again. METRIC_NONE when something is not
 * well-formed, the name is known with another kind or label names, or a bound is reached.
 */
metric_id metrics_register(struct metrics *m, enum metric_kind kind, const char *name,
    const char *help, const char *labels);
/* Append name="value", escaped, with a comma before it if there is something already. */
void metrics_label(struct buf *labels, const char *name, hb_str value);

/* Writing, on the shard's own thread. */
static inline void metrics_add(struct metrics_shard *s, metric_id id, int64_t n)
{
    uint64_t before = atomic_load_explicit(&s->slots[id], memory_order_relaxed);
    atomic_store_explicit(&s->slots[id], before + (uint64_t)n, memory_order_relaxed);
}

static inline void metrics_inc(struct metrics_shard *s, metric_id id)
{
    metrics_add(s, id, 1);
}

/* GAUGE: this thread's share of the sum. SECONDS_MAX: what it sees now, in nanoseconds. */
static inline void metrics_set(struct metrics_shard *s, metric_id id, int64_t v)
{
    atomic_store_explicit(&s->slots[id], (uint64_t)v, memory_order_relaxed);
}

/* UP: what this thread sees now. */
static inline void metrics_set_up(struct metrics_shard *s, metric_id id, bool up)
{
    atomic_store_explicit(&s->slots[id], !up, memory_order_relaxed);
}

/* HISTOGRAM: n observations of the same length. */
void metrics_observe(struct metrics_shard *s, metric_id id, uint64_t ns, uint64_t n);

/* Reading, any thread. A series as it stands, added up over all shards. */
struct metrics_sample {
    const char *name, *help;
    enum metric_kind kind;
    const char *labels;                     /* "" when there are none */
    double value;                           /* HISTOGRAM: the sum, in seconds */
    uint64_t buckets[METRICS_BUCKETS + 1];  /* HISTOGRAM: each its own count; the last is +Inf's */
    uint64_t count;                         /* HISTOGRAM: observations */
};

/* All series, those of one family together. The sample is borrowed for the call; its name, help and
 * labels live as long as `m`. */
void metrics_each(const struct metrics *m, void (*fn)(const struct metrics_sample *s, void *arg),
    void *arg);

#endif
