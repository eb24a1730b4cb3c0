/*
 * The keys in force: what the configuration fixes, what the JWKS file holds, what the JWKS URL
 * gave, each replaced on its own, seen as one set. Any thread; the lock is held for a few copies
 * only.
 */
#ifndef AUTH_JWT_RING_H
#define AUTH_JWT_RING_H

#include "keys.h"
#include <pthread.h>
#include <stdatomic.h>

enum ring_part { RING_FIXED, RING_FILE, RING_URL, RING_PARTS };

struct ring {
    pthread_mutex_t lock;
    struct keys *parts[RING_PARTS]; /* owned references; NULL: none */
    atomic_uint version;            /* changes with each put */
};

void ring_init(struct ring *r);
void ring_finish(struct ring *r);
void ring_put(struct ring *r, enum ring_part part, struct keys *adopt); /* NULL: none from there */
unsigned ring_version(struct ring *r);
/* All of them as one set, owned by the caller, and the version that it is of. */
struct keys *ring_take(struct ring *r, unsigned *version);

#endif
