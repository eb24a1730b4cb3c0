/*
 * Sockets that may be taken up again. A pid names the worker that keeps its entry: where the socket
 * is connected, or, after its end, the socket itself, for the recovery time. The entry answers for
 * any worker; a socket that is still connected elsewhere (its client lost the network before the
 * server noticed) is taken from there. All of it by posts between workers.
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
/* It is connected here, under its pid, on that session. */
void recover_enter(struct worker *w, const char *pid, hb_sid sid);
/* It left for good. */
void recover_leave(struct worker *w, const char *pid);
/* Its connection is gone; takes it. */
void recover_store(struct worker *w, struct socket *s);
/* Asks for it: enter_found is called later, with this session and number. False: no such pid. */
bool recover_ask(struct worker *w, hb_str pid, hb_sid sid, uint32_t number);

#endif
