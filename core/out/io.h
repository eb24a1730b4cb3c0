/*
 * What the stages below the server need of connections: implemented by server/ on the HTTP library,
 * and by tests with a recorder. Worker's thread.
 */
#ifndef OUT_IO_H
#define OUT_IO_H

#include <hubbub/transport.h>
#include <sys/uio.h>

/* Lives as long as the process. */
struct io_watch {
    void (*writable)(void *owner);
    void (*gone)(void *owner); /* NULL: nobody asks */
};

struct io_ops {
    /* Hand bytes to the connection: returns how many were accepted (copied or sent). Fewer than
     * given: `writable` is called once when more would be; until then write returns 0. */
    size_t (*write)(hb_stream *stream, const struct iovec *iov, int n);
    /* Who is told when a short write can go on, and that the peer is gone: right before the
     * transport's `closed`; the stream must not be touched from then on. Set once. */
    void (*bind)(hb_stream *stream, const struct io_watch *watch, void *owner);
    void (*pause)(hb_stream *stream, bool paused);
    /* The descriptor to which bytes may be sent as they are while nothing waits; -1: only by write. */
    int (*fd)(hb_stream *stream);
    /* Close after what was accepted is out; `closed` is not called. Frees the stream. */
    void (*close)(hb_stream *stream);

    void (*respond)(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body);
    void (*respond_error)(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms);
    hb_str (*header)(const hb_request *req, hb_str lower_case_name);
    hb_str (*query)(hb_request *req, hb_str key, size_t nth);
};

#endif
