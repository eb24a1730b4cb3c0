/*
 * A hash map from byte strings to pointers. Keys are borrowed from the values: a key must live and
 * stay unchanged while its value is in the map. Hash is SipHash-1-3 with a random key per process,
 * so peers can't choose collisions. One thread. Out of memory aborts.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <hubbub/types.h>

struct map_entry {
    hb_str key;   /* key.p == NULL: free */
    void *value;
};

struct map {
    struct map_entry *entries; /* owned; NULL while empty */
    uint32_t *hashes;          /* owned, parallel; 0: free */
    size_t count;
    size_t cap;                /* power of two, or 0 */
};

void map_init(struct map *m);
void map_finish(struct map *m);                       /* frees the table, not the values */
void *map_get(const struct map *m, hb_str key);       /* NULL when absent */
/* Insert or replace; returns the value that was there before, or NULL. `value` is not NULL.
 * Replacing also replaces the borrowed key. */
void *map_put(struct map *m, hb_str key, void *value);
void *map_remove(struct map *m, hb_str key);          /* returns what was there, or NULL; shrinks */
/* Iterate: size_t pos = 0; while ((e = map_next(&m, &pos))) … ; any order. During iteration nothing
 * may be put or removed. */
struct map_entry *map_next(const struct map *m, size_t *pos);

#endif
