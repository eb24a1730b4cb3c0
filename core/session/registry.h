/* The registry: this worker's sessions by slot and generation, and those to be closed or freed. */
#ifndef SESSION_REGISTRY_H
#define SESSION_REGISTRY_H

#include "session/session.h"

struct registry_slot {
    struct session *session; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;      /* slot + 1 */
};

struct registry {
    struct registry_slot *slots;
    uint32_t n, cap, first_free, count;
    struct asks *asks;       /* ask.c; NULL until the first */
    struct revoked *revoked; /* revoked.c; likewise */
    struct draining *draining; /* drain.c; NULL until it begins */
    struct list dead;        /* struct session by out.dirty: freed at the end of the turn */
    hb_sid *doomed;          /* overflown in this turn */
    uint32_t n_doomed, cap_doomed;
};

void registry_add(struct registry *r, struct session *ss, int worker); /* sets ss->sid */
void registry_remove(struct registry *r, struct session *ss);
void registry_doom(struct registry *r, hb_sid sid);
hb_sid registry_doomed(struct registry *r); /* pops one; 0: none */

/* Some of the sessions, from slot *at on: as many as a turn has time for, or until `fn` says false;
 * *at is where to go on then. True: these were the last. `fn` may close, not free. */
bool registry_some(struct shard *s, uint32_t *at, bool (*fn)(struct session *ss, void *arg), void *arg);

/* Each session that is live in the room, on this worker; `fn` may close them, so that they leave it. */
void registry_each_member(
    struct shard *s, struct members *room, void (*fn)(struct session *ss, void *arg), void *arg);

hb_sid ticket_sid(hb_str ticket); /* the session it names, unproven; 0: no ticket */
uint32_t ticket_node(hb_str ticket); /* the node it names; 0: no ticket */

/* Close those that overflowed in this turn. */
void sessions_close_slow(struct shard *s);

#endif
