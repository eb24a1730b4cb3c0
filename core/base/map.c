#include "base/map.h"
#include "base/check.h"
#include "base/rand.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing, linear probing; removal shifts the run back, so there are no tombstones. */
enum { CAP_MIN = 8 };

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint8_t hash_key[16];

static void make_key(void)
{
    rand_bytes(hash_key, sizeof hash_key);
}

static uint32_t hash_of(hb_str key)
{
    uint32_t h = (uint32_t)hash_siphash13(key, hash_key);
    return h ? h : 1; /* 0 marks a free place */
}

void map_init(struct map *m, map_key *key_of)
{
    *m = (struct map)MAP_INIT(key_of);
}

void map_finish(struct map *m)
{
    free(m->values);
    free(m->hashes);
    map_init(m, m->key_of);
}

/* The place of `key`, or the free place where it belongs. The table is not full. */
static size_t find(const struct map *m, hb_str key, uint32_t hash)
{
    size_t mask = m->cap - 1;
    size_t i = hash & mask;
    for (; m->hashes[i]; i = (i + 1) & mask) {
        if (m->hashes[i] != hash)
            continue;
        hb_str at = m->key_of(m->values[i]);
        if (at.n == key.n && (key.n == 0 || !memcmp(at.p, key.p, key.n)))
            break;
    }
    return i;
}

static void resize(struct map *m, size_t cap)
{
    struct map old = *m;
    size_t mask = cap - 1;
    m->cap = cap;
    m->values = mem_zalloc(cap * sizeof *m->values);
    m->hashes = mem_zalloc(cap * sizeof *m->hashes);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.hashes[i])
            continue;
        size_t to = old.hashes[i] & mask;
        while (m->hashes[to])
            to = (to + 1) & mask;
        m->hashes[to] = old.hashes[i];
        m->values[to] = old.values[i];
    }
    free(old.values);
    free(old.hashes);
}

void *map_get(const struct map *m, hb_str key)
{
    if (m->count == 0)
        return NULL;
    size_t i = find(m, key, hash_of(key));
    return m->values[i];
}

void *map_put(struct map *m, void *value)
{
    CHECK_INVARIANT(value != NULL);
    hb_str key = m->key_of(value);
    if (m->cap == 0) {
        pthread_once(&key_once, make_key);
        resize(m, CAP_MIN);
    } else if ((m->count + 1) * 4 > m->cap * 3) {
        resize(m, m->cap * 2);
    }
    uint32_t hash = hash_of(key);
    size_t i = find(m, key, hash);
    void *before = m->values[i];
    m->count += !before;
    m->hashes[i] = hash;
    m->values[i] = value;
    return before;
}

/* Close the hole at `i`: move back each entry of the run that the hole cuts off from its home. */
static void close_hole(struct map *m, size_t hole)
{
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->hashes[i]; i = (i + 1) & mask) {
        size_t from_home = (i - m->hashes[i]) & mask;
        if (from_home < ((i - hole) & mask))
            continue;
        m->hashes[hole] = m->hashes[i];
        m->values[hole] = m->values[i];
        hole = i;
    }
    m->hashes[hole] = 0;
    m->values[hole] = NULL;
}

void *map_remove(struct map *m, hb_str key)
{
    if (m->count == 0)
        return NULL;
    size_t i = find(m, key, hash_of(key));
    if (!m->hashes[i])
        return NULL;
    void *value = m->values[i];
    close_hole(m, i);
    m->count--;
    if (m->count == 0)
        map_finish(m);
    else if (m->cap > CAP_MIN && m->count * 8 < m->cap)
        resize(m, m->cap / 2);
    return value;
}

void *map_next(const struct map *m, size_t *pos)
{
    while (*pos < m->cap) {
        void *value = m->values[(*pos)++];
        if (value)
            return value;
    }
    return NULL;
}
