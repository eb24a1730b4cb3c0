/* Streams whose socket is on this worker. Worker's thread. */
#ifndef SERVER_STREAM_LOCAL_H
#define SERVER_STREAM_LOCAL_H

#include "server/conn.h"

/* The head is out (conn_taking before): the socket is ours, `reqsize` bytes of its input are the
 * request's. Calls events->open, then data for what came along. */
void stream_local_open(struct conn *c, size_t reqsize, const hb_stream_events *events, void *owner);
/* The connection broke: tell the owner and close. */
void stream_local_gone(struct conn *c);
/* At the end of a turn: go on with streams that were taken off pause in it. */
void stream_local_resume(struct worker *w);

#endif
