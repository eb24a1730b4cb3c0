/*
 * Loading: from a configuration to open modules with their options read and checked. Nothing of a
 * module but its `check` runs here; see run.h for the rest of its life. Control thread.
 */
#ifndef PLUGIN_LOAD_H
#define PLUGIN_LOAD_H

#include "plugin/find.h"

struct modules {
    struct module *items[MODULES_MAX]; /* owned; transports, plugins, drop-ins, each in order */
    size_t n;
};

/* Everything that is wrong is added to `errors`, never only the first. What came of each module is
 * in its status, also of those that failed (their m is NULL or their options are not fit); with
 * fatal errors the table is good for looking at and modules_free only.
 *
 * `c` must live as long as the result: modules may keep pointers into the options of their init. */
struct modules *modules_load(struct config *c, struct errors *errors);
/* Before init, or after finish. NULL is fine. */
void modules_free(struct modules *m);
struct module *modules_find(const struct modules *m, const char *name); /* NULL: none */

/* A new configuration for modules that run: the same ones in the same order, as loading and
 * unloading takes a restart, and with options that each finds fit. A module that has neither reload
 * nor worker_reload keeps its options, so they must be the same ones too. */
struct modules_plan {
    const void *options[MODULES_MAX];
    const hb_node *nodes[MODULES_MAX];
};
/* False when something is wrong: all of it is in `errors`, and nothing has changed. */
bool modules_plan(const struct modules *m, struct config *next, struct modules_plan *out,
    struct errors *errors);

#endif
