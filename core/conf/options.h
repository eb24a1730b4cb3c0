/*
 * The option-table engine: a map of the YAML and a table give a filled struct and every mistake.
 * Loading thread only; what it gives is immutable and lives as long as the configuration.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "conf/errors.h"
#include <hubbub/options.h>

enum { OPTIONS_MAX_ROWS = 128 }; /* of one table; more is a fault of its author and told as such */

/* Fill `out` (the struct that the table's offsets speak of) from `map`, which is a MAP or a NULL
 * node. Every key that the table does not know, value of a wrong type or out of its bounds and
 * missing required key is added to `errors`; those fields keep their defaults, so that `out` is
 * whole either way. True when this reading added no error. Strings, lists and nodes in `out` live
 * in the arena of the map's tree. */
bool options_read(const hb_node *map, const hb_option *table, void *out, struct errors *errors);

/* One value by one row, into the field itself; nothing is written when it is wrong. */
void options_read_value(const hb_option *row, const hb_node *node, void *out,
    struct errors *errors);

/* The word nearest to `word` among n, or NULL when none is near enough to be meant. */
const char *options_nearest(hb_str word, const char *const *words, size_t n);

#endif
