/*
 * What the parts of the plugin share: asked.c asks the backend, told.c tells it, webhook.c is the
 * module's life.
 */
#ifndef WEBHOOK_WEBHOOK_H
#define WEBHOOK_WEBHOOK_H

#include "pool.h"
#include "remember.h"
#include "sender.h"
#include "setup.h"

/* ctx->self: set up in init; the ledger has a lock of its own. */
struct webhook {
    struct ledger *ledger;
    bool authenticates;    /* as init found it */
    int asked[KIND_COUNT]; /* metrics */
    int pending;           /* a gauge */
    struct sender_metrics metrics;
};

/* ctx->local */
struct local {
    struct setup setup; /* of ctx->options */
    struct pool *pool;
    struct remember *remember;
    struct sender *sender; /* worker 0's alone */
};

/* Hooks with a verdict. */
hb_verdict asked_connect(const hb_ctx *ctx, hb_connect *ev);
hb_verdict asked_join(const hb_ctx *ctx, hb_join *ev);
hb_verdict asked_publish(const hb_ctx *ctx, hb_publish *ev);
hb_verdict asked_call(const hb_ctx *ctx, hb_call *ev);
/* pool_destroy's: the sessions are gone, nobody waits for the answer to the question `arg`. */
void asked_drop(const hb_ctx *ctx, void *arg);

/* Hooks that tell what has happened. */
void told_opened(const hb_ctx *ctx, hb_session *session);
void told_authenticated(const hb_ctx *ctx, hb_session *session, bool refresh);
void told_joined(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data);
void told_left(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once);
void told_closed(const hb_ctx *ctx, hb_session *session, hb_end why);

#endif
