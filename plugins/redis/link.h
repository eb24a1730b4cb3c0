/*
 * A connection to Redis on a nonblocking socket of our own: it connects, greets (AUTH, SELECT, and
 * what its owner adds), writes what a turn of the loop has put together in one go, cuts answers out
 * of what arrives, and when anything is wrong closes and comes back after a pause. Owner: one worker.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "reply.h"
#include "settings.h"
#include <stdarg.h>

enum link_state { LINK_DOWN, LINK_LOOKING, LINK_CONNECTING, LINK_GREETING, LINK_UP };

struct link;

struct link_ops {
    /* Append what the greeting is to hold besides (link_format); each command counts in
     * link->greeting. */
    void (*greet)(struct link *l);
    void (*up)(struct link *l);
    void (*down)(struct link *l);                             /* it was up */
    void (*reply)(struct link *l, const redisReply *reply);   /* borrowed */
};

struct link {
    const hb_ctx *ctx;
    const struct link_ops *ops;
    const char *name;          /* for the log */
    struct place place;        /* where to; link_place changes it for the next attempt */
    struct login login;
    /* Where is it now? NULL: at `place`. Answers by link_found or link_fail. */
    void (*look)(struct link *l);
    void *looker;              /* its */
    bool check_role;           /* refuse what is no master */
    int fd;
    enum link_state state;
    hb_timer timer;            /* connect and greeting time, or the pause before the next attempt */
    hb_timer flush;            /* something is to be written at the end of this turn */
    bool flush_set;
    struct replies *replies;
    char *out;                 /* to be written: from out_at to out_n */
    size_t out_at, out_n, out_cap;
    uint64_t pause_ms;
    unsigned greeting;         /* answers of it that are missing */
    bool reading;              /* within the loop over answers: closing waits for its end */
    bool watch_write;
    char fault[160];           /* why it is to be closed; "" when it is not */
    char said[160];            /* the last of these that was logged */
    bool told;                 /* its being away was logged */
};

/* The struct lives where it is; `place` and `login` are set by the caller. */
void link_init(struct link *l, const hb_ctx *ctx, const struct link_ops *ops, const char *name);
void link_open(struct link *l);          /* the first attempt */
void link_finish(struct link *l);        /* says nothing to anybody */
void link_found(struct link *l, const struct place *place);
/* Something is wrong with it: close, and come back. From within `reply` too. */
void link_fail(struct link *l, const char *why);

/* Append bytes, a formatted command, a command by its words. Written at the end of the turn, or by
 * link_flush. */
void link_put(struct link *l, const char *bytes, size_t n);
void link_command(struct link *l, int n, const hb_str *words);
void link_greet(struct link *l, int n, const hb_str *words); /* in `greet` */
void link_flush(struct link *l);
static inline size_t link_waiting(const struct link *l)
{
    return l->out_n - l->out_at;
}
static inline const struct options *link_options(const struct link *l)
{
    return l->ctx->options;
}
/* Those that no reload changes. */
static inline const struct options *link_fixed(const struct link *l)
{
    return ((const struct shared *)l->ctx->self)->first;
}

#endif
