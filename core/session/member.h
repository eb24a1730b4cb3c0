/*
 * Joins and leaves of sessions, told to a room's other members at once: for transports that want
 * them (hb_transport.members). In order with the room's messages; on this node. Session's worker.
 */
#ifndef SESSION_MEMBER_H
#define SESSION_MEMBER_H

#include "session/session.h"

/* `event` is "join" or "leave" and static. Nothing for rooms that begin with @. */
void member_tell(const struct session *ss, hb_str room, hb_str event);

#endif
