/* What one worker of the node has: its two connections, and the rooms whose home it is. */
#ifndef REDIS_WORKER_H
#define REDIS_WORKER_H

#include "kept.h"
#include "pipe.h"
#include "sub.h"
#include "table.h"
#include "wire.h"
#include <hubbub/backend.h>

struct worker {
    const hb_ctx *ctx;
    const hb_store *store;
    struct pipe pipe;          /* commands */
    struct sub sub;            /* pushes */
    struct sentinel *sentinels[2]; /* of the two; NULL: none configured */
    struct table rooms;        /* name → struct room */
    uint64_t nonce;            /* this worker of this process: first half of its tokens */
    uint64_t n_tokens;
    hb_timer tick;
    uint64_t check_due_ms;
    uint64_t uptime_ms;        /* of the command connection: its being away does not count */
    bool up;                   /* as last told */
    uint64_t owner;            /* in whose name sessions are present */
    uint64_t renew_due_ms;     /* its lease */
    bool leased, ticking;      /* it had one already; an answer is due */
    bool doubt;                /* does Redis know of all that is present here? */
    struct kept kept;
};

enum { TICK_MS = 250, KEY_MAX = 288, ASK_MS = 5000 /* for anything but a publish */ };

static inline const struct options *worker_options(const struct worker *w)
{
    return w->ctx->options;
}
static inline const struct shared *worker_shared(const struct worker *w)
{
    return w->ctx->self;
}

/* The configured one; for scripts, which make their keys of it. */
hb_str worker_prefix(const struct worker *w);
/* "<prefix>:<kind>:<name>" */
hb_str worker_key(const struct worker *w, char kind, hb_str name, char out[static KEY_MAX]);
uint64_t worker_now_us(void);
/* Bytes for all other nodes (0), or one. */
void worker_cast(struct worker *w, uint32_t node, hb_str bytes);
/* The channel of a node; 0: of all. */
hb_str worker_cast_channel(const struct worker *w, uint32_t node, char out[static KEY_MAX]);
void worker_heard(struct worker *w, hb_str payload);

#endif
