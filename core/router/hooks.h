/*
 * The hook chain: asks each module in the configured order, on the session's worker; suspends when
 * one answers LATER and goes on when its ticket is completed, from whatever thread, or its deadline
 * passes. A chain is embedded in what it decides about (an op, a connect).
 */
#ifndef ROUTER_HOOKS_H
#define ROUTER_HOOKS_H

#include "out/shard.h"

/* What the chain has gathered: strings are the chain's own, until chain_finish. */
struct chain {
    struct shard *s;
    hb_sid sid;            /* the session it is about: when it ended, nobody else is asked */
    enum hook kind;
    int next;              /* module to ask next */
    bool allowed;          /* some hook answered ALLOW */
    uint32_t ticket;       /* slot + 1 of the ticket that is out; 0: none */
    union {
        hb_connect connect;
        hb_join join;
        hb_publish publish;
        hb_call call;
        hb_presence presence;
    } ev;                  /* ev.*.out is scratch for each hook; the sum is in `out` */
    hb_outcome out;        /* the answers that count: on DENY the denial's */
    struct owned *owned;
    char remote[48];       /* CONNECT: the client's address, for a late answer */
    /* Its end. When the session is gone by then: HB_DENY, and the owner looks for itself.
     * HB_ALLOW: allowed; HB_NEXT: nobody had an opinion; HB_DENY. May free the chain's owner. */
    void (*done)(struct chain *c, hb_verdict verdict);
};

struct hooks_shard *hooks_create(struct shard *s);
void hooks_destroy(struct hooks_shard *h);

/* Fill in `ev`, then run. `done` may be called before this returns. */
void chain_init(struct chain *c, struct shard *s, hb_sid sid, enum hook kind,
    void (*done)(struct chain *, hb_verdict));
void chain_run(struct chain *c);
/* Forget about a ticket that is out (its session ended), and free what the chain gathered. */
void chain_finish(struct chain *c);
bool hooks_any(const struct hub *hub, enum hook kind);

/* The events without a verdict, to every module in order. */
void hooks_opened(struct shard *s, hb_session *session);
void hooks_entered(struct shard *s, hb_session *session, hb_str space, hb_str data);
void hooks_authenticated(struct shard *s, hb_session *session, bool refresh);
void hooks_closed(struct shard *s, hb_session *session, hb_end why);
void hooks_joined(struct shard *s, hb_session *session, hb_str room, hb_str data);
void hooks_left(struct shard *s, hb_session *session, hb_str room, bool at_once);
void hooks_published(struct shard *s, hb_session *session, hb_str room, hb_str event, hb_str data);
void hooks_presence_changed(struct shard *s, const hb_presence_event *ev);

/* The process's hub, for calls from threads that have no shard; NULL before the workers are made. */
struct hub *hooks_hub(void);
/* The shard whose contexts this one is of. Any thread. */
struct shard *hooks_shard(const hb_ctx *ctx);

/* hb_host->later and ->complete. */
hb_ticket *hooks_later(const hb_ctx *ctx, void *ev);
void hooks_complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome);

#endif
