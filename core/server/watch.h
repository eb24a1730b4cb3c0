/* hb_host->watch: descriptors of modules on a thread's loop. That thread's. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "server/worker.h"

int watch_set(const hb_ctx *ctx, int fd, int what,
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg), void *arg);
void watch_init(struct worker *w);
void watch_finish(struct worker *w);

#endif
