/*
 * A shard: what one worker owns. Every stage keeps its state of this worker behind a pointer here;
 * nothing in a shard is touched from another thread but its mailbox. The hub is the process: all
 * shards and what is read-only after start.
 */
#ifndef OUT_SHARD_H
#define OUT_SHARD_H

#include "base/check.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/metrics_core.h"
#include "base/wheel.h"
#include "conf/config.h"
#include "out/io.h"
#include <hubbub/backend.h>
#include <hubbub/transport.h>

struct members_table; /* room/members.c */
struct homes;         /* room/home.c */
struct registry;      /* session/registry.c */
struct hooks_shard;   /* router/hooks.c */
struct surveys;       /* session/survey.c */
struct own_rooms;     /* session/own.c */

enum { WIRES_MAX = 32, MODULES_MAX = 64 };

enum hook {
    HOOK_CONNECT, HOOK_JOIN, HOOK_PUBLISH, HOOK_CALL, HOOK_PRESENCE, /* with a verdict */
    HOOK_OPENED, HOOK_JOINED, HOOK_LEFT, HOOK_PUBLISHED, HOOK_CLOSED, HOOK_PRESENCE_CHANGED,
    HOOK_ENTERED, HOOK_AUTHENTICATED, HOOK_COUNT
};

/* One wire form of one transport. */
struct wire {
    const hb_transport *transport;
    unsigned variant;
    unsigned module; /* index into hub->modules and shard->ctx */
    bool cursors;
};

/* A loaded module as the stages see it. */
struct module_ref {
    const hb_module *desc;
    int slot; /* index of its pointer on each session; -1: none */
    struct metrics_transport metrics; /* of a transport: metrics_core_transport */
    metric_id hook_seconds[HOOK_COUNT]; /* of its hooks: metrics_core_hook */
};

/* What the fan-out looks at for each outbox, side by side: sessions lie all over memory, and a miss
 * for each member costs more than all else that is done for it. */
struct fast {
    int fd;          /* where a frame may be sent at once; -1: the outbox decides */
    uint8_t wire;
};

struct shard {
    int index;
    struct hub *hub;
    const struct config *config; /* immutable; a reload swaps the pointer between turns */
    struct wheel wheel;
    struct mailbox box;
    struct metrics_shard *metrics;
    struct list dirty_rooms;  /* struct members: something to deliver at the end of this turn */
    struct list dirty_boxes;  /* struct outbox: something to write at the end of this turn */
    unsigned n_dirty_rooms;
    struct fast *fast;        /* by outbox->fast; grows */
    uint32_t n_fast, cap_fast, free_fast; /* free_fast: index + 1 of the first free one, linked by fd */
    hb_ctx ctx[MODULES_MAX];  /* one for each module, by its index */
    struct members_table *members;
    struct homes *homes;
    struct registry *registry;
    struct surveys *surveys;  /* made when first used */
    struct own_rooms *own_rooms; /* likewise */
    bool backend_away;        /* as it told this worker last */
    struct hooks_shard *hooks;
    void *worker;             /* server/'s */
    _Atomic int in_module;    /* index + 1 of the module that runs now, 0: none; for the watchdog */
};

struct outbox;
struct msg;

/* Calls from lower stages up into the session, bound once at start. */
struct session_ops {
    void (*overflow)(struct shard *shard, struct outbox *out);   /* past its bound: close it */
    void (*flushed)(struct shard *shard, struct outbox *out);    /* all that was queued is written */
    void (*ready)(struct shard *shard, struct outbox *out);      /* pull: something is queued */
    void (*advance)(struct outbox *out, const hb_message *m);    /* about to be written: position moves */
    void (*fill)(struct shard *shard, struct outbox *out, unsigned slot, hb_out *to);
    struct outbox *(*outbox_of)(struct shard *shard, hb_sid sid); /* NULL: not of this worker, or gone */
    void (*presence)(struct shard *shard, const hb_presence_event *ev); /* changed, in a room whose home is here */
    void (*lost)(struct shard *shard, hb_str room); /* its members are to come back */
};

struct hub {
    struct shard **shards;    /* n_workers of them, then the control thread's */
    int n_workers;
    const struct io_ops *io;
    const struct session_ops *session_ops;
    const hb_host *host;
    struct wire wires[WIRES_MAX];
    unsigned n_wires;
    struct module_ref modules[MODULES_MAX];
    unsigned n_modules;
    unsigned n_slots;         /* session slots in use */
    int backend;              /* index of the module with the backend role; -1: in-process */
    bool auth;                /* some module decides who may connect */
    _Atomic int64_t n_rooms;  /* with a home on some worker */
};

/* Gives the one that it was in. */
static inline int shard_enter_module(struct shard *s, int module)
{
    int outer = atomic_load_explicit(&s->in_module, memory_order_relaxed) - 1;
    atomic_store_explicit(&s->in_module, module + 1, memory_order_relaxed);
    return outer;
}

/* Index of the module whose context this is, one of the shard's own. */
static inline int shard_module(const struct shard *s, const hb_ctx *ctx)
{
    ptrdiff_t at = ctx - s->ctx;
    CHECK_INVARIANT(at >= 0 && at < MODULES_MAX);
    return (int)at;
}

/* Post to a worker (hub->n_workers: the control thread). Takes the mail. Any thread. */
static inline void shard_post(struct hub *hub, int to, struct mail *mail)
{
    mailbox_post(&hub->shards[to]->box, mail);
}

#endif
