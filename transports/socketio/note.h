/*
 * A socket whose connection is gone as text, for the other nodes: what the one that its client comes to
 * needs to take it up. JSON: {"v":1, "space":…, "sid":…, "user":…, "stale":…, "own":cursor,
 * "rooms":[[room, cursor, granted], …]}; `user`, `stale` and `own` only where there are such. Whose it
 * is and what he may is looked at anew there. Pure.
 */
#ifndef SOCKETIO_NOTE_H
#define SOCKETIO_NOTE_H

#include "socket.h"

/* Appends it; the socket has its `rest`. */
void note_write(const struct socket *s, struct bytes *out);
/* NULL: it is none, or says what no socket is. Owned; expires_ms of its rest is not set. */
struct socket *note_read(hb_str text, const char *pid);

#endif
