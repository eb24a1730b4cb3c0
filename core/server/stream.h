/*
 * hb_stream: a connection taken over from HTTP. Two kinds under one table: the socket is here
 * (stream_local.c), or on another worker and bytes go by mail (bridge.c). This file is what both
 * share: the tail, which is what stream_write could not hand on yet. Worker's thread.
 */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include "base/wheel.h"
#include "out/io.h"
#include <hubbub/transport.h>
#include <sys/uio.h>

struct stream_ops {
    /* As io_ops->write; sets `blocked` when it takes less than given. */
    size_t (*write)(hb_stream *s, const struct iovec *iov, int n);
    void (*pause)(hb_stream *s, bool paused);
    /* Something that write accepted has not left this process; stream_unblocked when it has. */
    bool (*busy)(hb_stream *s);
    /* All is out, or its time is up: end the connection now. */
    void (*finish)(hb_stream *s);
};

/* Allocated while something waits, or for the time of closing. */
struct tail {
    hb_stream *stream;
    struct timer timer;
    size_t at, n, cap;
    char *bytes; /* owned */
};

struct hb_stream {
    const struct stream_ops *ops;
    struct tail *tail;
    int fd;       /* where bytes may be written as they are; -1: TLS, or on another worker */
    bool paused;
    bool blocked; /* a write took less than given; stream_unblocked says when it can go on */
    bool closing; /* the owner closed it; the tail still goes out */
    bool broken;  /* a write failed: `closed` is on its way */
    const hb_stream_events *events; /* the owner's; NULL once it must not be called any more */
    void *owner;
    const struct io_watch *watch; /* NULL: nobody watches */
    void *watcher;
};

void stream_init(hb_stream *s, const struct stream_ops *ops, const hb_stream_events *events,
    void *owner);
/* Free what hangs on it. */
void stream_release(hb_stream *s);
/* For the kinds: room again. May end the stream. */
void stream_unblocked(hb_stream *s);
/* For the kinds: the other end is gone. Tells the owner, once. */
void stream_ended(hb_stream *s);

/* io_ops and hb_net. */
size_t stream_writev(hb_stream *s, const struct iovec *iov, int n);
int stream_fd(hb_stream *s);
void stream_bind(hb_stream *s, const struct io_watch *watch, void *watcher);
void stream_pause(hb_stream *s, bool paused);
void stream_close(hb_stream *s);
size_t stream_write(hb_stream *s, const void *bytes, size_t n);

#endif
