/*
 * A tour: one mail that visits the workers one after the other and comes back to where it began. On
 * each it does a piece of work that fits into a turn, and comes again in the next turn while there
 * is more: whatever asks about all sessions or rooms holds nobody up. Embedded by whoever asks, who
 * leaves it alone until `back`.
 */
#ifndef SESSION_TOUR_H
#define SESSION_TOUR_H

#include "out/shard.h"

enum tour_step { TOUR_AGAIN, TOUR_NEXT, TOUR_BACK };

struct tour {
    struct mail mail;
    struct hub *hub;
    int back_to;       /* shard whose thread gets `back` */
    int worker;        /* being visited */
    uint32_t at;       /* the visitor's: how far it is on this worker; 0 at each arrival */
    bool cut_short;    /* a worker was no more: the process is ending */
    enum tour_step (*visit)(struct tour *t, struct shard *s); /* on each worker's thread */
    void (*back)(struct tour *t);
    void (*lost)(struct tour *t); /* instead of `back`, on some thread: nobody is left to come back to */
};

/* With hub, back_to and the functions filled in; `worker` and `at` say where to begin. Any thread. */
void tour_begin(struct tour *t);

#endif
