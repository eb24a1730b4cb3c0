/* POST /hub/send: the ops of one request, run one after the other, their replies collected. */
#ifndef SESSION_BATCH_H
#define SESSION_BATCH_H

#include "session/session.h"

/* Run the request's body for this session and answer the request. */
void batch_run(struct session *ss, hb_request *req);
void batch_reply(struct batch *b, const hb_event *ev);
/* The session is over: answer what is open. */
void batches_abandon(struct session *ss);

#endif
