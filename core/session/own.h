/*
 * The room that each user has, "@" and the name: its sessions are in it from their start. Where the
 * backend is away just then, it is joined when it is back, from where it would have been.
 */
#ifndef SESSION_OWN_H
#define SESSION_OWN_H

#include "router/op.h"
#include "session/session.h"

bool own_room_is(hb_str room);
/* Has it a user whose name fits? */
bool own_room_has(const struct session *ss);
/* Joins it; cursor absent: from now on. */
void own_room_join(struct session *ss, hb_str cursor, enum op_origin origin);
/* The op that joins it, before it asks the home: would it only keep those behind it waiting? */
bool own_room_is_away(const struct session *ss, const struct op *op);
/* That op was answered HB_UNAVAILABLE. */
void own_room_later(struct session *ss, const struct op *op);
void own_rooms_destroy(struct shard *s);

#endif
