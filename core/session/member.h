/*
 * Joins and leaves of sessions, told to a room's other members at once: for transports that want
 * them (hb_transport.members). On this node in order with the room's messages, on others in order
 * with each other, at most once; of sessions of a node that died nothing. Session's worker.
 */
#ifndef SESSION_MEMBER_H
#define SESSION_MEMBER_H

#include "session/session.h"

/* `event` is "join" or "leave" and static. Nothing for rooms that begin with @. */
void member_tell(const struct session *ss, hb_str room, hb_str event);

#endif
