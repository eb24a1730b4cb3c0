/*
 * A map from byte strings to pointers, hashed by a secret of the process: who chooses the names
 * can't choose the buckets. The key's bytes are the entry's owner's and live as long as the entry.
 */
#ifndef REDIS_TABLE_H
#define REDIS_TABLE_H

#include <hubbub/types.h>

struct table_slot {
    hb_str key;       /* absent: free */
    void *value;
    uint64_t hash;
};

struct table {
    struct table_slot *slots;
    size_t size, count;   /* size: a power of two */
    uint64_t secret[2];
};

void table_init(struct table *t);
void table_finish(struct table *t);
void *table_get(const struct table *t, hb_str key);
void table_put(struct table *t, hb_str key, void *value); /* not there yet */
void table_remove(struct table *t, hb_str key);
/* Each in turn, *at from 0; NULL at the end. Nothing may be put or removed meanwhile. */
void *table_next(const struct table *t, size_t *at);

#endif
