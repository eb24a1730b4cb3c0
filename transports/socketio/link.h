/*
 * A WebSocket under Engine.IO: it carries a connection, or is a probe that may come to carry it.
 * Made for a request that is taken over; frees itself when neither its connection nor its stream is
 * left. One worker's thread.
 */
#ifndef SOCKETIO_LINK_H
#define SOCKETIO_LINK_H

#include "../common/frame.h"
#include "../common/handshake.h"
#include "worker.h"

struct conn;

enum link_state {
    LINK_OPENING, /* no stream yet */
    LINK_OPEN,
    LINK_CLOSING, /* a close frame went out: nothing more is read or written */
    LINK_GONE     /* the stream is no more */
};

struct link {
    struct worker *worker;
    struct conn *conn;   /* NULL: nobody's: to be closed */
    hb_stream *stream;
    struct frame_parser parser;
    enum link_state state;
    bool carries;        /* it is its connection's way out; else a probe */
    bool busy;           /* within a callback: not to be freed under it */
    bool taken;          /* `open` is still to come */
};

struct handshake_request link_headers(const hb_net *net, const hb_request *req);

/* Answers 101 and takes the connection. conn NULL: it is closed as soon as it is open. False: memory
 * is out, the request is not answered. */
bool link_create(struct worker *w, hb_request *req, struct conn *conn, bool carries);
/* Its connection wants no more of it: what is queued goes out, then the stream closes. */
void link_drop(struct link *link);
/* Its session is over, and the host closes the stream. */
void link_abandon(struct link *link);

/* Of a link that carries nothing: straight to the stream. */
void link_write(struct link *link, hb_str text);

/* Frames of a text or binary message appended to `out`. */
void link_frame(struct bytes *out, unsigned first, hb_str payload);

#endif
