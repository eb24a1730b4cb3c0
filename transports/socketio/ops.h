/* Between clients' events and the host's ops: what becomes which op, and the acks that replies make. */
#ifndef SOCKETIO_OPS_H
#define SOCKETIO_OPS_H

#include "socket.h"

enum { OPS_UNDER_WAY = 32 }; /* of a connection; then it is not read from */

/* An event of the client; its answer to one of the server's. */
void ops_event(struct conn *c, struct socket *s, const struct packet *p);
void ops_answer(struct conn *c, struct socket *s, const struct packet *p);
/* Leave a room, by its full name; nobody waits for the reply. */
void ops_leave(struct conn *c, hb_str room);
/* The socket is not in this connection any more: nothing is told to it. */
void ops_forget(struct conn *c, const struct socket *s);
void ops_finish(struct conn *c);

/* The reply to an op. */
void ops_replied(struct conn *c, const hb_event *ev);
/* The host wants to know something of the client. False: it is not in that namespace. */
bool ops_ask(struct conn *c, const hb_event *ev);

/* Appends {"code":…,"message":…} as the protocol has it. */
void ops_put_error(struct bytes *out, const hb_event *ev);

#endif
