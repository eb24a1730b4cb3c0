/*
 * Parked requests: the answer's head is out, the body comes later. Until then there is a socket and
 * little else, and it is watched, so that a client that leaves is noticed. Worker's thread.
 */
#ifndef SERVER_PARK_H
#define SERVER_PARK_H

#include "server/request.h"

struct conn;

/* Send h's head and park. `chunked`: the body will be; else it ends with the connection. `again`:
 * the connection goes back to HTTP after the answer. */
void park_begin(struct request *r, struct conn *c, h2o_req_t *h, bool chunked, bool again);
/* Answer; r is gone. */
void park_respond(struct request *r, hb_str body);
/* The client left, or is to leave: tell the request's owner and close. False when the request is
 * answered already. */
bool park_gone(struct conn *c);
/* The connection of a parked request closed. */
void park_conn_closed(struct conn *c);

#endif
