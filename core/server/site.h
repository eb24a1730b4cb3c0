/*
 * What the server itself serves on the main listener: the browser client and static files. Made on
 * the control thread for each configuration, read by all workers, kept to the end of the process
 * (an answer may still be under way with the old one's pieces).
 */
#ifndef SERVER_SITE_H
#define SERVER_SITE_H

#include "conf/config.h"
#include "server/libh2o.h"

struct site;
struct request;

struct site *site_create(const struct config *config);
void site_destroy(struct site *s);
/* Answer, if this is about one of its files: true, and the request is gone. */
bool site_answer(const struct site *s, struct request *r);

#endif
