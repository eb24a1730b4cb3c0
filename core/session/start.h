/* The start of a session: welcome, its user's own room, and the rooms that its request named. */
#ifndef SESSION_START_H
#define SESSION_START_H

#include "session/ops.h"

typedef void (*start_done)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message);

/* hb_net->start; not the first time: no welcome and no own room */
void start_begin(struct session *ss, bool first, const hb_str *rooms, size_t n_rooms, hb_str cursor, start_done done);
/* Join the room of its user, recovered from a cursor (may be absent). */
void start_own_room(struct session *ss, hb_str cursor);
/* A join of the server's or of the opening request is answered. */
void start_joined(struct session *ss, const struct op *op, hb_event *ev);
void start_free(struct session *ss);

#endif
