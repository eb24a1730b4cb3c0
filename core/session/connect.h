/* Opening a session: credentials go through the connect hooks before anything is promised. */
#ifndef SESSION_CONNECT_H
#define SESSION_CONNECT_H

#include "session/session.h"

/* hb_net->open */
void connect_open(struct shard *s, unsigned module, hb_request *req, const hb_open *how);
/* Fill a connect chain's event for a session. `req` brought the credential; NULL: an op did. */
void connect_event(struct session *ss, struct chain *c, hb_str credential, hb_request *req, bool refresh);
/* The label under which a refused credential is counted. */
int connect_failure(hb_code code);

/* A later request of a session carries a credential: is it the same user's? `done` is called now or
 * later, with a copy of `arg`; when it is not, the request is answered here. */
void connect_verify(struct session *ss, hb_request *req, hb_str credential,
    void (*done)(struct session *ss, hb_request *req, void *arg), const void *arg, size_t arg_size);

#endif
