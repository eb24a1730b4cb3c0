/*
 * A WebSocket connection after its handshake: frames in, frames out, the closing handshake. It
 * carries a session, or (for conformance tests) echoes what it is sent.
 *
 * A conn is made before its session and its stream are there, and lives until both are gone. One
 * worker's thread.
 */
#ifndef WEBSOCKET_CONN_H
#define WEBSOCKET_CONN_H

#include "deflate.h"
#include "../common/frame.h"
#include <hubbub/transport.h>

#define SCRATCH_BYTES (64u << 10)

/* Larger limits are held to this: lengths of a message fit 32 bits. */
#define LIMIT_MAX ((int64_t)1 << 30)

/* What all connections of a worker share. */
struct worker {
    const hb_net *net;
    size_t threshold; /* bytes of a message from which on it is compressed */
    struct deflater *deflater;
    char scratch[SCRATCH_BYTES];
};

enum conn_state {
    CONN_OPENING, /* no stream yet */
    CONN_OPEN,
    CONN_CLOSING, /* a close frame went out: nothing more is read or written */
    CONN_GONE     /* the stream is no more */
};

struct conn {
    struct worker *worker;
    hb_session *session; /* NULL: an echo, or the session ended */
    hb_stream *stream;   /* NULL in OPENING and GONE */
    struct frame_parser parser;
    enum conn_state state;
    bool echo;
    bool compression;
    bool taken;   /* the connection was taken over: `open` is still to come */
    bool busy;    /* within one of its own callbacks: not to be freed under it */
    bool over;    /* nobody refers to it any more: to be freed */
};

struct conn *conn_create(struct worker *w, bool echo, bool compression); /* NULL: out of memory */
/* Before take_over only; later a conn frees itself. */
void conn_destroy(struct conn *c);

/* The stream's events; their owner is the conn. */
extern const hb_stream_events conn_events;

/* The transport's callbacks for a session. */
void conn_heartbeat(const hb_ctx *ctx, void *conn);
void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
void conn_ended(const hb_ctx *ctx, void *conn);

#endif
