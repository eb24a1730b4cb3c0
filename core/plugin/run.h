/*
 * The life of loaded modules: init, the workers' share of it, reload, finish. In the order of the
 * table, and backwards when it ends. Each thread passes its own array of contexts, one for each
 * module by its index, which lives from the one call to its counterpart.
 */
#ifndef PLUGIN_RUN_H
#define PLUGIN_RUN_H

#include "plugin/load.h"

/* Control thread. False when a module's init failed: it is told in `errors`, and those that had
 * begun are finished. */
bool modules_init(struct modules *m, const hb_host *host, hb_ctx ctx[static MODULES_MAX],
    struct errors *errors);
/* Control thread, after all workers ended. */
void modules_finish(struct modules *m, hb_ctx ctx[static MODULES_MAX]);

/* Worker's thread. False when a module refused: that is logged, and those that had begun on this
 * worker are finished. */
bool modules_worker_init(const struct modules *m, const hb_host *host, int worker,
    hb_ctx ctx[static MODULES_MAX]);
void modules_worker_finish(const struct modules *m, hb_ctx ctx[static MODULES_MAX]);

/* Control thread: take a plan over and tell every module of its new options. Then each worker calls
 * modules_worker_reload, and after all did, the configuration before may be freed (unless it is the
 * one of modules_load) and the next plan be taken over. */
void modules_reload(struct modules *m, const struct modules_plan *plan,
    hb_ctx ctx[static MODULES_MAX]);
void modules_worker_reload(const struct modules *m, hb_ctx ctx[static MODULES_MAX]);

#endif
