#include "table.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, LINE = 64, LOCKS = 64 };

struct bucket {
    _Atomic uint64_t key; /* 0: never used */
    _Atomic uint64_t full_ns;
};

struct table {
    size_t sets; /* a power of two */
    pthread_mutex_t locks[LOCKS];
    alignas(LINE) struct bucket buckets[];
};

struct table *table_create(size_t buckets)
{
    size_t sets = 1;
    while (sets * WAYS < buckets)
        sets *= 2;
    size_t size = sizeof(struct table) + sets * WAYS * sizeof(struct bucket);
    struct table *t = aligned_alloc(LINE, size);
    if (!t)
        return NULL;
    memset(t, 0, size);
    t->sets = sets;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&t->locks[i], NULL);
    return t;
}

void table_destroy(struct table *t)
{
    for (size_t i = 0; t && i < LOCKS; i++)
        pthread_mutex_destroy(&t->locks[i]);
    free(t);
}

static struct bucket *set_of(struct table *t, uint64_t key)
{
    return t->buckets + (key & (t->sets - 1)) * WAYS;
}

static struct bucket *find(struct bucket *set, uint64_t key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (atomic_load(&set[i].key) == key)
            return &set[i];
    return NULL;
}

static struct bucket *fullest(struct bucket *set)
{
    struct bucket *best = set;
    for (size_t i = 1; i < WAYS; i++)
        if (atomic_load(&set[i].full_ns) < atomic_load(&best->full_ns))
            best = &set[i];
    return best;
}

/* bucket_take, while others do the same. */
static enum bucket_answer take(struct bucket *b, const struct bucket_limit *limit, uint64_t n,
    uint64_t now_ns, uint64_t patience_ns, uint64_t *wait_ns)
{
    uint64_t before = atomic_load(&b->full_ns), after;
    enum bucket_answer a;
    do {
        after = before;
        a = bucket_take(&after, limit, n, now_ns, patience_ns, wait_ns);
    } while (after != before && !atomic_compare_exchange_weak(&b->full_ns, &before, after));
    return a;
}

enum bucket_answer table_take(struct table *t, uint64_t key, const struct bucket_limit *limit,
    uint64_t n, uint64_t now_ns, uint64_t patience_ns, uint64_t *wait_ns, bool *evicted)
{
    key += key == 0;
    struct bucket *set = set_of(t, key), *b = find(set, key);
    if (b)
        return take(b, limit, n, now_ns, patience_ns, wait_ns);
    /* Until the first token is taken the bucket looks free. */
    pthread_mutex_t *lock = &t->locks[key & (t->sets - 1) & (LOCKS - 1)];
    pthread_mutex_lock(lock);
    b = find(set, key);
    if (!b) {
        b = fullest(set);
        *evicted |= atomic_load(&b->full_ns) > now_ns;
        atomic_store(&b->key, key); /* what is missing in it stays */
    }
    enum bucket_answer a = take(b, limit, n, now_ns, patience_ns, wait_ns);
    pthread_mutex_unlock(lock);
    return a;
}

void table_give(struct table *t, uint64_t key, const struct bucket_limit *limit, uint64_t n)
{
    key += key == 0;
    struct bucket *b = find(set_of(t, key), key);
    uint64_t cost = bucket_cost(limit, n);
    uint64_t before = b ? atomic_load(&b->full_ns) : 0;
    while (before >= cost && !atomic_compare_exchange_weak(&b->full_ns, &before, before - cost))
        continue;
}
