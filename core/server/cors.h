/* CORS headers, on every answer to an allowed origin, h2o's own ones included. Worker's thread. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include "server/request.h"

/* For answers that pass h2o's filters (all but taken-over ones). */
void cors_put_headers(h2o_req_t *req);
/* Answer a preflight request (Fetch standard, 3.2.2). */
void cors_preflight(hb_request *req);
/* Filters of a path: CORS headers, and the protocol's error body in place of h2o's. */
void cors_register_filter(h2o_pathconf_t *path);

#endif
