/*
 * Sockets that may be taken up again. A pid names the worker that keeps its record: which connection
 * has the socket, or, when that is gone, the socket itself, for the recovery time. There is one of each
 * socket: it is in a connection, or in the record, or under way between the two by post. A client that
 * comes back before the server noticed that its connection is dead, or that is cut off again while it
 * is taken up, gets it from that connection, which ends.
 */
#ifndef SOCKETIO_RECOVER_H
#define SOCKETIO_RECOVER_H

#include "socket.h"

struct records *records_create(void);
void records_destroy(struct records *r);
/* No sweep comes any more; before records_destroy, while the host still has timers. */
void records_stop(struct worker *w);

/* A new pid of this worker. */
void recover_name(const struct worker *w, char pid[SOCKET_PID + 1]);
/* A new one is connected here, under its pid, on that session. */
void recover_enter(struct worker *w, const char *pid, hb_sid sid);
/* It left for good. */
void recover_leave(struct worker *w, const char *pid);
/* Its connection is gone; takes it. */
void recover_store(struct worker *w, struct socket *s);
/* Asks for it: enter_found is called later, with this session and number. False: no such pid. What was
 * found is in the end entered again under its pid, stored, or said to have left. */
bool recover_ask(struct worker *w, hb_str pid, hb_sid sid, uint32_t number);

#endif
