/*
 * Presence: who is in a room is kept in Redis; each worker knows its own sessions, so that it can say
 * them again when Redis lost them, or believed this node to be dead. All that it says is said in the
 * name of an owner, which has a lease; after a doubt it takes a new name, says all again, and lets the
 * old one die with what was left in it.
 */
#ifndef REDIS_PRESENCE_H
#define REDIS_PRESENCE_H

#include "worker.h"

struct room;

void presence_set(struct room *r, hb_str user, hb_str session, hb_sid origin, hb_str data, hb_done *done);
void presence_drop(struct room *r, hb_str session, int64_t grace_ms, hb_done *done);
void presence_list(struct room *r, size_t limit, hb_done *done);
void presence_push(struct room *r, hb_str payload);  /* a change, told by Redis */
void presence_forget(struct room *r);                /* the room goes */
void presence_version(struct room *r, uint64_t now); /* as Redis has it: were changes missed? */

/* The worker's: renew the lease, let what is due happen; the connection is back. */
void presence_tick(struct worker *w, uint64_t now_ms);
void presence_back(struct worker *w);

#endif
