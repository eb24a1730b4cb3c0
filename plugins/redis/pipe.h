/*
 * The commands of a worker, in order, over its connection: those sent and not answered, those that
 * wait for the connection. When it breaks, all that may be repeated waits again, in the same order:
 * this is the journal. Each command is answered exactly once: by Redis, or with NULL when its time is
 * up or it can't be repeated. Owner: one worker.
 */
#ifndef REDIS_PIPE_H
#define REDIS_PIPE_H

#include "link.h"
#include "list.h"
#include <hubbub/backend.h>

struct command {
    struct list link;
    char *bytes;           /* as they go over the wire */
    size_t n, cap;
    size_t beside;         /* bytes of what is kept with it: they count as well (pipe_keeps) */
    size_t grows;          /* it may get more words (pipe_grow): room for how many bytes to begin with */
    uint64_t turn;         /* grows: until this one of the pipe is over */
    uint64_t due_ms;       /* when it is given up */
    uint64_t sent_us;      /* 0: never */
    bool once;             /* may not be repeated when its outcome is unknown */
    bool first;            /* sent before all that waits; only in `changed` */
    bool durable;          /* with wait-replica: answered when the replicas have it */
    bool over;             /* given up; its answer is still to come */
    const hb_store *store; /* its owner's: kept for `done` when the room is gone */
    const redisReply *held; /* durable: the answer, until the replicas have it */
    /* Is this an answer to it at all? If not, answers and commands have come apart: the connection is
     * made anew, and it is sent again. NULL: anything is. */
    bool (*fits)(const redisReply *reply);
    /* NULL: no answer; `sent_us` says whether it may have happened. Frees what embeds it. */
    void (*done)(struct command *c, const redisReply *reply);
};

struct pipe {
    struct link link;
    struct list sent, waiting;   /* struct command */
    struct list unsure;          /* durable ones with their answer, until WAIT's */
    size_t bytes;                /* of all commands, and beside them */
    hb_timer later;              /* all of a turn goes out at its end */
    bool is_later;
    uint64_t turn;               /* a new one whenever what was put in last can't grow any more */
    void (*changed)(struct pipe *p, bool up);
    void *owner;
};

void pipe_init(struct pipe *p, const hb_ctx *ctx, void (*changed)(struct pipe *p, bool up), void *owner);
void pipe_finish(struct pipe *p);        /* answers all with NULL */
/* Goes out at the end of this turn. `c` is zeroed but for `done`, `fits`, `once`, `first`, `durable`, `grows`. */
void pipe_send(struct pipe *p, struct command *c, int n, const hb_str *words, int64_t for_ms);
/* May `c` get another word? Until the turn ends or a command that can't follows it. */
static inline bool pipe_can_grow(const struct pipe *p, const struct command *c)
{
    return c->turn == p->turn;
}
/* One more word of n bytes, to be put where it says. A command grows to 99 words. */
char *pipe_grow(struct pipe *p, struct command *c, size_t n);
static inline void pipe_keeps(struct pipe *p, struct command *c, size_t n)
{
    c->beside += n;
    p->bytes += n;
}
/* Is there room in the journal? */
bool pipe_has_room(const struct pipe *p, size_t n);
/* Now and then: give up what is due, drop a connection that does not answer. */
void pipe_tick(struct pipe *p);
static inline bool pipe_is_up(const struct pipe *p)
{
    return p->link.state == LINK_UP;
}

#endif
