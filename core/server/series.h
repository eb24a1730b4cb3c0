/*
 * The metrics of modules, and whether the alert rules of a configuration name metrics that exist.
 * Control thread.
 */
#ifndef SERVER_SERIES_H
#define SERVER_SERIES_H

#include "out/shard.h"
#include "plugin/load.h"

/* What the core counts of a module: fills in ref->metrics and ref->hook_seconds. */
void series_register(struct metrics *m, struct module_ref *ref);

/* Each rule that can't ever fire, because there is no such metric or series or it is no histogram,
 * is added to `errors`. With `unstarted`, modules that have not run their init: what may be a
 * metric of theirs, by its name, passes. */
void series_check_rules(const struct config *c, const struct metrics *m,
    const struct modules *unstarted, struct errors *errors);
/* The same where nothing runs. */
void series_check_draft(
    const struct config *c, const struct modules *modules, struct errors *errors);

#endif
