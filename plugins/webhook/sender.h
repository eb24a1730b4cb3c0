/*
 * Sends the ledger's batches, one after the other: by worker 0, in a pool of its own, again after a
 * growing wait when the backend does not take one. That worker's thread.
 */
#ifndef WEBHOOK_SENDER_H
#define WEBHOOK_SENDER_H

#include "ledger.h"
#include "setup.h"

struct sender_metrics {
    int taken, waiting;                   /* events; waiting is a gauge */
    int overflow, rejected, given_up;     /* events that were lost */
    int failures[FAULT_COUNT];            /* attempts */
};

struct sender;

/* `ctx`, `ledger`, `setup` and `metrics` outlive it; ctx->options and *setup may change, then call
 * sender_configure. NULL without memory. */
struct sender *sender_create(const hb_ctx *ctx, struct ledger *ledger, const struct setup *setup,
    const struct sender_metrics *metrics);
void sender_destroy(struct sender *s); /* NULL is fine */
void sender_configure(struct sender *s);
/* Something waits, or will: look. */
void sender_look(struct sender *s);

/* The end of the process: what waits goes out now, or not; blocks for a few seconds at most. */
void sender_flush(const hb_ctx *ctx, struct ledger *ledger, const struct setup *setup);

#endif
