/*
 * Which modules a configuration wants, in which order, and where their files are. Control thread.
 */
#ifndef PLUGIN_FIND_H
#define PLUGIN_FIND_H

#include "conf/config.h"
#include "out/shard.h"
#include "plugin/module.h"

struct wanted {
    const char *name, *path; /* path NULL: there is none, which has been told */
    enum module_kind kind;
    const hb_node *node;     /* options: a map; NULL: they can't be read, which has been told */
};

struct wanted_list {
    struct wanted items[MODULES_MAX];
    size_t n;
};

/* Transports, plugins, then drop-ins. What can't be found and names that come twice are added to
 * `errors`; a transport that nobody named and that is not built is left out. The strings live in
 * the arena of `c`. */
void find_wanted(struct config *c, struct wanted_list *out, struct errors *errors);

/* The directories where modules of a kind are looked for. */
hb_strings find_directories(const struct config *c, enum module_kind kind);
/* Call fn for each NAME.so of a directory, by name; false (errno is set) when it can't be read. */
bool find_each(const char *directory, void (*fn)(const char *name, const char *path, void *arg),
    void *arg);

#endif
