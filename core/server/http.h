/*
 * From h2o's request to ours: what is refused at the door, whose it is, and on with it. Worker's
 * thread.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/worker.h"

/* Give the worker's h2o configuration its one host with the handler. */
void http_register(struct worker *w);
/* Take what a new configuration says over into h2o's. */
void http_configure(struct worker *w);

#endif
