/*
 * A session over an event stream, from its request to the end of its stream. One worker's thread.
 */
#ifndef SSE_CONN_H
#define SSE_CONN_H

#include "../common/http.h"

/* What a slot of an encoded event stands for: the line of its id. */
enum slot {
    SLOT_OPENING, /* of a welcome or joined */
    SLOT_EVENT,
    SLOT_NONE     /* bytes that are no event */
};

enum conn_state {
    CONN_OPENING, /* its request waits for the rooms to answer */
    CONN_TAKING,  /* the connection is being taken over: `open` is to come */
    CONN_OPEN,
    CONN_GONE     /* the stream is no more */
};

struct conn {
    const hb_net *net;
    hb_session *session;     /* NULL: not there yet, or ended */
    hb_request *req;         /* in OPENING, once admitted; NULL: its client left */
    struct opening *opening; /* in OPENING */
    uint8_t state;           /* enum conn_state */
    uint8_t slot;            /* enum slot: the last one asked for */
    bool closing;            /* the server closed it before the stream was there */
};

/* Takes the opening. NULL: out of memory. */
struct conn *conn_create(const hb_net *net, struct opening *opening);
/* Before it has a session only; later a conn frees itself. */
void conn_destroy(struct conn *c);
/* Admitted: joins the rooms, then sends the stream's head, then what there is to tell. */
void conn_start(struct conn *c, hb_request *req, hb_session *session);

/* The transport's callbacks for a session. */
void conn_fill(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out);
void conn_heartbeat(const hb_ctx *ctx, void *conn);
void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
void conn_ended(const hb_ctx *ctx, void *conn);

/* The first bytes of a stream: padding and the delay before a reconnect. */
void conn_prelude(const hb_ctx *ctx, hb_out *out);

#endif
