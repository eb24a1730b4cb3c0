/*
 * The messages that a room of the in-process backend holds: a ring, oldest first, bounded by count,
 * bytes and age, and over all rooms of the worker by limits.history_size. Worker's thread.
 */
#ifndef ROOM_HISTORY_H
#define ROOM_HISTORY_H

#include "out/shard.h"

/* What the histories of one worker share. */
struct history_pool {
    struct shard *s;
    struct list held;  /* over all rooms, oldest first */
    int64_t bytes;
};

struct history;

void history_pool_init(struct history_pool *p, struct shard *s);
struct history *history_create(struct history_pool *p, const hb_keep *keep);
/* Other bounds, at once; `age_ms` for messages to come. */
void history_keep(struct history *h, const hb_keep *keep);
void history_destroy(struct history *h); /* NULL is fine */
/* Hold the message (a reference), and let go what is past a bound. */
void history_add(struct history *h, hb_message *m);
/* Let go what is too old by now. */
void history_trim(struct history *h);
size_t history_count(const struct history *h); /* NULL: 0 */
hb_message *history_at(const struct history *h, size_t i); /* 0: the oldest */

#endif
