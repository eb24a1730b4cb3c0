/*
 * A roster: who is present in one room, as users with their sessions, data and grace. The
 * in-process backend's; it tells each change by `changed`, when it has happened. Owner: the home's
 * worker.
 */
#ifndef ROOM_ROSTER_H
#define ROOM_ROSTER_H

#include "base/wheel.h"
#include <hubbub/backend.h>

struct roster;

/* What all rosters of a worker share; lives longer than they do. */
struct rosters {
    struct wheel *wheel;
    /* Called within set and from the wheel: it may read the roster, not change it. */
    void (*changed)(hb_room *room, const hb_presence_event *ev);
    size_t data_bytes;     /* of all users in all rosters */
    size_t data_bytes_max;
};

struct roster *roster_create(struct rosters *all, hb_room *room);
void roster_destroy(struct roster *r); /* tells nothing; NULL is fine */

/* As hb_backend's presence_set, presence_drop and presence_list. `out` holds `limit`; its strings
 * are borrowed until the next change. Returns how many were written. */
hb_code roster_set(struct roster *r, hb_str user, hb_str session, hb_sid origin, hb_str data);
void roster_drop(struct roster *r, hb_str session, int64_t grace_ms);
size_t roster_list(const struct roster *r, size_t limit, hb_present *out);
int64_t roster_count(const struct roster *r);
/* How long until the last grace ends; 0: none runs. */
int64_t roster_grace_ms(const struct roster *r);

#endif
