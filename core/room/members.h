/*
 * The members that a room has on this worker, and the fan-out to them.
 *
 * Messages of one turn of the loop are collected and delivered together: encoded once for each wire
 * form in use, flattened into one frame, and written to each member in one call. A member that
 * joined in mid-turn starts at its own message; the sender of an echo:false message skips it.
 * Owner: the shard's worker.
 */
#ifndef ROOM_MEMBERS_H
#define ROOM_MEMBERS_H

#include "out/outbox.h"

/* One session's place in one room. Embedded by the session; lives while the session wants it. */
struct membership {
    struct list in_session;
    struct members *room;   /* set from members_add or members_reserve on */
    uint32_t index;         /* in the room's array while live */
    bool live : 1;          /* gets new messages */
    bool joined : 1;        /* the join was answered */
    bool keeps : 1;         /* the room has a history, and so cursors */
    bool present : 1;       /* known to the room's presence */
    bool wants_sync : 1;    /* of presence, of up to sync_limit users, once it is live */
    bool has_sync : 1;      /* sync_limit was set */
    uint16_t sync_limit;
    hb_pos pos;             /* after the last message written (wires with cursors) */
    struct replay *replay;  /* history is being sent, live comes at its end; NULL: none */
};

struct members_table *members_create(void);
void members_destroy(struct members_table *t); /* all rooms empty by then */

/* This worker's list for a room, made when missing. Kept while somebody holds it. */
struct members *members_hold(struct shard *s, hb_str room);
void members_release(struct shard *s, struct members *r);
struct members *members_find(struct shard *s, hb_str room); /* NULL: nobody here */
hb_str members_name(const struct members *r);
uint64_t members_hash(const struct members *r); /* hash_stable of its name */
size_t members_count(const struct members *r);
bool members_all_live(const struct members *r); /* nobody holds it whom messages don't reach (yet) */

/* From now on messages delivered to the room reach this member; not those of this turn so far. */
void members_add(struct members *r, struct membership *m, struct outbox *out);
void members_remove(struct members *r, struct membership *m); /* harmless when not live */

/* A message for this worker's members, at the end of the turn. Takes no ownership (refs). */
void members_deliver(struct shard *s, hb_str room, hb_message *message);
/* Another event for the room's members (presence, membership), in order with its messages; not for
 * `except` (may be NULL). Encoded once per wire form. */
void members_tell(struct shard *s, struct members *r, const hb_event *ev, const struct outbox *except);
/* Deliver what this turn has collected for the room now: what is queued for a member next comes
 * behind it. */
void members_settle(struct shard *s, struct members *r);
/* End of turn: deliver what was collected. */
void members_flush(struct shard *s);

/* Each live member's outbox; `fn` may not change the room. */
void members_each_outbox(struct members *r, void (*fn)(struct outbox *out, void *arg), void *arg);
/* For listings: each room of this worker. */
void members_each(struct shard *s, void (*fn)(struct members *r, void *arg), void *arg);

#endif
