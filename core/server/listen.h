/*
 * Listening sockets: bound by the control thread, so that what is wrong is said before anything
 * runs, one for each worker under SO_REUSEPORT, accepted from on the worker.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "server/worker.h"

/* Control thread: bind all of the configuration's addresses for all workers, the admin's for the
 * control thread's. False: what is wrong is logged. */
bool listen_bind(struct server *s);
void listen_unbind(struct server *s); /* what no worker took over */
/* Worker's thread. */
void listen_open(struct worker *w);
/* Take what the kernel has accepted already, and listen no more. */
void listen_close(struct worker *w);

#endif
