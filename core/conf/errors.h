/*
 * What is wrong with a configuration: all of it, not just the first. Owned by whoever asked for the
 * reading; outlives the tree it speaks about (everything is copied). One thread.
 */
#ifndef CONF_ERRORS_H
#define CONF_ERRORS_H

#include <hubbub/options.h>
#include <stdio.h>

enum { ERRORS_MAX = 100 }; /* past it they are counted only */

struct error {
    char *file;             /* owned */
    unsigned line, column;  /* from 1; 0: the file as a whole */
    bool warning;
    char *message;          /* owned; one line */
};

struct errors {
    struct error items[ERRORS_MAX];
    size_t n;               /* kept */
    size_t fatal;           /* all but warnings, kept or not */
    size_t left_out;
};

void errors_init(struct errors *e);
void errors_finish(struct errors *e);
/* At a node's place. The text names no secret: see node_shown in parse.h. */
void errors_at(struct errors *e, const hb_node *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As errors_at, but does not make the configuration unusable. */
void errors_warn(struct errors *e, const hb_node *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At a place that is no node. */
void errors_add(struct errors *e, const char *file, unsigned line, unsigned column,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* One line each, in the order of their places: "file:line:column: message". */
void errors_print(struct errors *e, FILE *out);

#endif
