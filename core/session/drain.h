/*
 * The end of a worker's sessions for a drain, paced. Clients that can be told when to come back are
 * told, each another time, and closed at once; those whose protocol has no word for it are closed one
 * after the other instead. Session's worker.
 */
#ifndef SESSION_DRAIN_H
#define SESSION_DRAIN_H

#include "out/shard.h"

struct draining;

/* Begin, all to be back elsewhere within spread_ms. Once. */
void drain_sessions(struct shard *s, int64_t spread_ms);
void drain_destroy(struct draining *d); /* NULL is fine */

#endif
