/*
 * The connection that listens: one channel for each room that has members here, and one of its own,
 * over which a beat goes round, so that silence is found out. Each SUBSCRIBE and UNSUBSCRIBE has its
 * confirmation, in order. Owner: one worker.
 */
#ifndef REDIS_SUB_H
#define REDIS_SUB_H

#include "link.h"
#include "list.h"

struct room;
struct worker;

struct sub {
    struct link link;
    struct worker *w;
    struct list unconfirmed;   /* struct confirmation, in the order asked */
    uint64_t heard_ms;         /* the last beat */
};

void sub_init(struct sub *s, struct worker *w);
void sub_finish(struct sub *s);
/* The room wants its channel from now on, or not any more. Nothing happens while the connection is
 * away: when it comes back, all rooms that want theirs get it. */
void sub_want(struct sub *s, struct room *r);
void sub_unwant(struct sub *s, struct room *r);
void sub_forget(struct sub *s, struct room *r); /* before the room goes */
/* Now and then: send a beat, look whether they come back. */
void sub_tick(struct sub *s);
static inline bool sub_is_up(const struct sub *s)
{
    return s->link.state == LINK_UP;
}

#endif
