/*
 * POST and DELETE <base>/send that reach a node other than their session's: passed on over the backend
 * to the node that the ticket names, and answered from there within a time-out.
 */
#ifndef SERVER_REMOTE_H
#define SERVER_REMOTE_H

#include "server/request.h"

struct remote;

void remote_register(void); /* before the first worker runs */
/* Pass it on when its ticket names another node that is there. False: it is nobody's but ours. */
bool remote_forward(struct request *r, const hb_claim *claim);

/* request.c, for a request that came from another node. */
hb_str remote_header(const struct remote *m, hb_str name);
void remote_respond(struct remote *m, int status, hb_str body);

#endif
