/*
 * The host table that a module's `check` and its commands get: walking its options, telling what is
 * wrong with them, the log and the clocks. All else in it is NULL, as nothing runs yet. Control
 * thread.
 */
#ifndef PLUGIN_CHECK_HOST_H
#define PLUGIN_CHECK_HOST_H

#include "conf/errors.h"
#include <hubbub/plugin.h>

struct check_host {
    hb_host host;
    struct errors *errors; /* what node_error adds to */
};

void check_host_init(struct check_host *h, struct errors *errors);

/* Let weak settings pass from now on (`hubbub check --lenient`). */
void check_host_set_lenient(bool lenient);

/* For the table of the running host. */
hb_str check_host_node_string(const hb_node *node);
const hb_node *check_host_node_get(const hb_node *map, const char *key);
const hb_node *check_host_node_item(const hb_node *list_or_map, size_t i, hb_str *key);
bool check_host_lenient(void);

#endif
