/*
 * A Redis in memory, as far as rooms with history need one: it does what the scripts do, one
 * command and one answer at a time, so that a test says what happens between any two of them.
 * Presence is not kept. One for the program; its clock is redis_now.
 */
#ifndef TESTS_REDIS_MODEL_H
#define TESTS_REDIS_MODEL_H

#include "redis_host.h"

/* A connection to it. */
struct model_link {
    struct redis_node *node;
    bool pipe;
    int fd;
    struct replies *in; /* commands that wait */
    struct list out;    /* struct model_out: what is to be written */
    size_t n_out;
    char *channels[16];
    size_t n_channels;
    struct list link; /* in model_links */
};
struct model_out {
    struct list link;
    bool push; /* of a room's message */
    size_t n;
    char bytes[];
};
extern struct list model_links;

void model_begin(void); /* empty; takes redis_listener.connected */
void model_finish(void);
bool model_run(struct model_link *l);   /* the next command of this connection; false: none waits */
bool model_write(struct model_link *l); /* the next of its answers and pushes goes out */
void model_cut(
    struct model_link *l); /* commands that wait and answers that were not written go with it */
void model_cut_all(void);

/* What befalls its memory. */
void model_empty(void);     /* all is gone */
void model_save(void);      /* a replica as it is now … */
void model_fail_over(void); /* … takes over */

#endif
