/* The start of a session: welcome, its user's own room, and the rooms that its request named. */
#ifndef SESSION_START_H
#define SESSION_START_H

#include "session/ops.h"

typedef void (*start_done)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message);

struct start_rooms {
    const hb_str *names;
    size_t n, n_granted;    /* the first n_granted are joined without asking anybody */
    bool own;               /* its user's own room too, the first time */
};

/* hb_net->start; not the first time: no welcome and no own room */
void start_begin(struct session *ss, bool first, const struct start_rooms *rooms, hb_str cursor, start_done done);
/* A join of the server's or of the opening request is answered. */
void start_joined(struct session *ss, const struct op *op, hb_event *ev);
/* An op is over: was it the last one of the opening? */
void start_settle(struct session *ss);
/* hb_net->leave */
void start_leave(struct session *ss, const hb_str *rooms, size_t n);
void start_free(struct session *ss);

#endif
