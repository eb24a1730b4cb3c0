/*
 * Presence as sessions see it: what modules set and drop travels to the room's home; a member that
 * is live is told who is there; the op `presence`. Owner: the session's worker.
 */
#ifndef SESSION_PRESENCE_H
#define SESSION_PRESENCE_H

#include "room/home.h"
#include "session/session.h"

struct presence_result {
    hb_code code;      /* HB_NOT_FOUND: no such room here, or one without presence */
    hb_str users;      /* the JSON array, of up to `limit` */
    int64_t count;     /* of all */
};

/* Who is present, for the admin API; any thread. `done` is called on the thread of shard `back`
 * with a borrowed result. */
void presence_from_anywhere(struct hub *hub, hb_str room, size_t limit, int back,
    void (*done)(const struct presence_result *result, void *arg), void *arg);

/* A join of a user to a room with presence: what its request carries, so that who was answered is
 * counted; freed with the op. NULL: nothing to count, or nobody who does. */
struct home_presence *presence_of_join(struct session *ss, hb_str room, hb_str data);
/* The join came to nothing after all; its session may be gone. */
void presence_undo_join(struct shard *s, const struct home_req *join);

/* The member hears its room from now on: a sync that waits for this is asked for. */
void presence_live(struct session *ss, struct membership *m);
/* The rooms of its opening are all answered: likewise. */
void presence_started(struct session *ss);
/* It joined a room that it is in: a sync follows that reply, too. */
void presence_again(struct session *ss, struct membership *m);
/* It has left its room, and the modules were told. */
void presence_left(struct session *ss, struct membership *m);

/* hb_host's part; contracts are in plugin.h. */
bool host_presence_wanted(const hb_ctx *ctx, hb_str room);
void host_presence_set(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data);
void host_presence_drop(const hb_ctx *ctx, hb_session *session, hb_str room, int64_t grace_ms);
void host_presence_sync(const hb_ctx *ctx, hb_session *session, hb_str room, size_t limit);
void host_presence_tell(const hb_ctx *ctx, const hb_presence_event *what);

#endif
