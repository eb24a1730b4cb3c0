/*
 * The tables that modules reach the host by: hb_host, hb_net and hb_store, and io_ops for the
 * stages below. Most entries are other files' functions; timers, posting and counting are here.
 */
#ifndef SERVER_HOST_H
#define SERVER_HOST_H

#include "router/visit.h"
#include "server/worker.h"

extern const hb_host host_table;
extern const struct io_ops host_io;

/* What node_error adds to while modules are loaded or reloaded; control thread. NULL: the log. */
void host_collect_errors(struct errors *errors);

/* The shard of a thread, by a context that was handed to it. */
struct shard *host_shard(const hb_ctx *ctx);
/* A call into a module that no hook makes. */
struct visit host_visit(const hb_ctx *ctx);

#endif
