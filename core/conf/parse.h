/*
 * YAML → a tree that remembers where everything stood. A subset on purpose: one document, scalars,
 * lists and maps; anchors, aliases and tags are refused, so that what stands in the file is what is
 * read. The tree is immutable and lives as long as its arena; any thread may read it.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "conf/arena.h"
#include "conf/errors.h"
#include <hubbub/options.h>

enum {
    PARSE_MAX_BYTES = 4 * 1024 * 1024,
    PARSE_MAX_DEPTH = 64,
    PARSE_MAX_NODES = 100 * 1000,
    PARSE_MAX_EXPANDED = 4 * 1024 * 1024, /* bytes of all scalars once variables are put in */
};

/* What the nodes of one file share. */
struct document {
    const char *file;    /* as given, for messages */
    const char *folder;  /* absolute; relative paths start here */
    struct arena *arena; /* holds the tree, and what options_read makes from it */
};

enum node_kind {
    NODE_NULL,   /* nothing: `key:`, `key: ~` or `key: null` */
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
};

struct hb_node {
    enum node_kind kind;
    bool expanded;       /* text came, wholly or in part, from the environment: may be a secret */
    bool broken;         /* what is wrong with it has been told already */
    unsigned line, column;
    const struct document *doc;
    hb_str text;         /* SCALAR; a NUL stands behind it and none within */
    hb_node **items;     /* LIST: n items; MAP: n pairs, the key at 2i, its value at 2i + 1 */
    size_t n;
};

/* The tree of a file: always a MAP (an empty file is an empty one), or NULL when it can't be read,
 * is no YAML or past a bound. Faults inside single values (an unset variable, a duplicate key) are
 * added to `errors` too, but leave a tree, so that the rest can be checked as well. */
const hb_node *parse_file(struct arena *a, const char *path, struct errors *errors);
/* The same for text in memory; `file` names it in messages and gives the folder. */
const hb_node *parse_text(struct arena *a, const char *file, hb_str text, struct errors *errors);
/* A value of any kind, where `like` stands: how an option's default is read. */
const hb_node *parse_value(const hb_node *like, hb_str text, struct errors *errors);

/* Walking. These are what modules get through the host table. */
hb_str node_text(const hb_node *node);                      /* absent when it is no SCALAR */
size_t node_count(const hb_node *node);                     /* items or pairs; 0 for a scalar */
const hb_node *node_item(const hb_node *node, size_t i);    /* item or value; NULL past the end */
const hb_node *node_key(const hb_node *map, size_t i);      /* a SCALAR; NULL past the end */
const hb_node *node_get(const hb_node *map, hb_str key);    /* NULL when absent or no MAP */
/* An empty map that stands where `like` stands. */
const hb_node *node_empty_map(const hb_node *like);
/* The text as it may be put into a message: "'…'", cut, or "the value from the environment". */
const char *node_shown(const hb_node *scalar, char out[static 64]);

#endif
