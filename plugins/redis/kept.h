/*
 * What is cast and kept: it stands in Redis until its time is over, and each node reads all of it back
 * when it comes into touch, or finds by a count that it missed one. The first worker of a node listens.
 *   <prefix>:x:kept    sorted by when they end (Redis' clock): the bytes; those for good behind all others
 *   <prefix>:x:count   of what was put there, from a time on: an emptied Redis never has the same one again
 * Pushed on <prefix>:x:new: "count ", 8 bytes of whose it is, the bytes.
 */
#ifndef REDIS_KEPT_H
#define REDIS_KEPT_H

#include "link.h"

struct worker;

struct kept {
    uint64_t count;        /* up to which all was heard; 0: nothing */
    uint64_t suspect;      /* that, and 1, when Redis had another at the last check; 0: it had not */
    bool wanted;           /* all is to be read, as something may be missing */
    bool reading, checking; /* is asked now */
};

enum { KEPT_BYTES_MAX = 2048 };

void kept_cast(struct worker *w, hb_str bytes, int64_t until_ms);
hb_str kept_channel(const struct worker *w, char *out); /* KEY_MAX bytes */
void kept_push(struct worker *w, hb_str payload);
/* Something may have been missed: read all, now or as soon as both connections are there. */
void kept_want(struct worker *w);
void kept_tick(struct worker *w);
void kept_check(struct worker *w); /* has Redis any that did not come? */

#endif
