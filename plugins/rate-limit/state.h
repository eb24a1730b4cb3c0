/*
 * What the plugin keeps of one session: whose it is, its own buckets, how often it was refused in a
 * row, and an answer that is put off. Its worker's.
 */
#ifndef RATE_LIMIT_STATE_H
#define RATE_LIMIT_STATE_H

#include "bucket.h"
#include <hubbub/plugin.h>

struct own_bucket {
    uint64_t id; /* of a rule's limit */
    uint64_t full_ns;
};

struct state {
    hb_sid sid;
    uint64_t user, ip; /* hashes, by the options of `version` */
    unsigned version;  /* 0: not looked up yet */
    uint64_t strikes;  /* refusals since something was accepted */
    bool ending;       /* it was told to go */
    size_t n;
    struct own_bucket *own; /* owned */
    hb_ticket *ticket;      /* NULL: nothing is put off */
    hb_timer timer;         /* when to complete it */
};

struct state *state_create(hb_sid sid); /* NULL without memory */
void state_destroy(struct state *s);    /* the timer is off and the ticket used; NULL is fine */
/* The bucket of that id, full when it is new. Bounded: past a few dozen, left from earlier
 * configurations, the fullest one makes room. NULL without memory. Valid until the next call. */
struct own_bucket *state_bucket(struct state *s, uint64_t id);

#endif
