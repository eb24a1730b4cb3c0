/*
 * A hash map of values that know their own keys, byte strings: a key stays unchanged while its
 * value is in the map. A place costs 12 bytes. Hash is SipHash-1-3 with a random key per process,
 * so peers can't choose collisions. One thread. Out of memory aborts.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <hubbub/types.h>

typedef hb_str map_key(const void *value); /* borrowed from the value */

struct map {
    map_key *key_of;
    void **values;    /* owned; NULL while empty */
    uint32_t *hashes; /* owned, parallel; 0: free */
    size_t count;
    size_t cap;       /* power of two, or 0 */
};

#define MAP_INIT(key_of) {key_of, NULL, NULL, 0, 0}

void map_init(struct map *m, map_key *key_of);
void map_finish(struct map *m);                       /* frees the table, not the values */
void *map_get(const struct map *m, hb_str key);       /* NULL when absent */
/* Insert or replace; returns the value that was there before, or NULL. `value` is not NULL. */
void *map_put(struct map *m, void *value);
void *map_remove(struct map *m, hb_str key);          /* returns what was there, or NULL; shrinks */
/* Iterate: size_t pos = 0; while ((value = map_next(&m, &pos))) … ; any order. During iteration
 * nothing may be put or removed. */
void *map_next(const struct map *m, size_t *pos);

#endif
