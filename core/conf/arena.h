/*
 * Memory that is given back all at once: a configuration's nodes, strings and option structs. One
 * thread allocates (the one that loads); what it gave may then be read from any.
 */
#ifndef CONF_ARENA_H
#define CONF_ARENA_H

#include <hubbub/types.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned */
};

void arena_init(struct arena *a);
void arena_finish(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for anything, never NULL */
char *arena_copy(struct arena *a, hb_str s);  /* with a NUL behind it */

#endif
