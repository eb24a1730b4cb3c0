#include "server/stream_local.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
    TLS_WRITE_MAX = 64 * 1024, /* is encrypted and held until the socket takes it */
    UNUSED_MAX = 64 * 1024,    /* read ahead of the owner, beyond one message */
};

static struct conn *conn_from(hb_stream *s)
{
    return container_of(s, struct conn, stream);
}

static void add_metric(const struct conn *c, metric_id id, size_t n)
{
    metrics_add(conn_worker(c)->shard.metrics, id, (int64_t)n);
}

/* ---- writing ---- */

static void on_writable(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    if (c->state != CONN_STREAM)
        return;
    if (err || c->stream.broken)
        stream_local_gone(c);
    else
        stream_unblocked(&c->stream);
}

/* A write fails only here, and the owner may be in the middle of something: it is told later. */
static void write_failed(struct conn *c)
{
    c->stream.broken = true;
    shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
}

static size_t write_plain(struct conn *c, const struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
        .msg_iovlen = (size_t)(n < IOV_MAX ? n : IOV_MAX)};
    ssize_t sent;
    do
        sent = sendmsg(h2o_socket_get_fd(c->sock), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
        write_failed(c);
    return sent < 0 ? 0 : (size_t)sent;
}

/* What is written is encrypted, and so copied, before h2o_socket_write returns. */
static size_t write_tls(struct conn *c, const struct iovec *iov, int n)
{
    h2o_iovec_t bufs[64];
    size_t count = 0, total = 0;
    for (int i = 0; i < n && count < 64 && total < TLS_WRITE_MAX; i++) {
        size_t most = TLS_WRITE_MAX - total;
        if (!iov[i].iov_len)
            continue;
        bufs[count].base = iov[i].iov_base;
        bufs[count].len = iov[i].iov_len < most ? iov[i].iov_len : most;
        total += bufs[count++].len;
    }
    if (total)
        h2o_socket_write(c->sock, bufs, count, on_writable);
    return total;
}

static size_t write_local(hb_stream *s, const struct iovec *iov, int n)
{
    struct conn *c = conn_from(s);
    size_t total = 0, sent = 0;
    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    if (!total)
        return 0;
    if (!s->broken && !h2o_socket_is_writing(c->sock))
        sent = c->sock->ssl ? write_tls(c, iov, n) : write_plain(c, iov, n);
    add_metric(c, METRIC_SENT_BYTES, sent);
    if (sent < total) {
        s->blocked = true;
        if (!h2o_socket_is_writing(c->sock))
            h2o_socket_notify_write(c->sock, on_writable);
    }
    return sent;
}

/* ---- reading ---- */

static size_t most_unused(const struct conn *c)
{
    return UNUSED_MAX + (size_t)conn_worker(c)->shard.config->limits.message_size;
}

/* Let the owner use what is in the input; false when the stream went meanwhile. */
static bool use_input(struct conn *c)
{
    struct worker *w = conn_worker(c);
    w->reading = c;
    while (c->sock->input->size && !c->stream.paused && !c->stream.closing) {
        size_t used = c->stream.events->data(c->stream.owner, c->sock->input->bytes,
            c->sock->input->size);
        if (w->reading != c)
            return false;
        if (c->state != CONN_STREAM || !used)
            break;
        h2o_buffer_consume(&c->sock->input, used);
    }
    w->reading = NULL;
    return c->state == CONN_STREAM;
}

/* Bytes in the worker's scratch memory: only what the owner leaves over is kept. */
static void use_scratch(struct conn *c, char *bytes, size_t n)
{
    struct worker *w = conn_worker(c);
    size_t used = 0;
    if (!c->sock->input->size) {
        w->reading = c;
        used = c->stream.events->data(c->stream.owner, bytes, n);
        if (w->reading != c)
            return;
        w->reading = NULL;
        if (c->state != CONN_STREAM || used == n)
            return;
    }
    h2o_iovec_t room = h2o_buffer_reserve(&c->sock->input, n - used);
    if (!room.base) {
        stream_local_gone(c);
        return;
    }
    memcpy(room.base, bytes + used, n - used);
    c->sock->input->size += n - used;
    if (!used && !use_input(c))
        return;
    if (c->sock->input->size > most_unused(c))
        h2o_socket_read_stop(c->sock); /* until the owner pauses and resumes, or closes */
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    struct worker *w = conn_worker(c);
    if (c->stream.closing) { /* only what is written still counts */
        if (sock->ssl)
            h2o_buffer_consume(&sock->input, sock->input->size);
        else if (recv(h2o_socket_get_fd(sock), w->scratch, WORKER_SCRATCH, MSG_DONTWAIT) == 0)
            err = h2o_socket_error_closed;
        if (err)
            conn_close(c);
        return;
    }
    if (err) {
        stream_local_gone(c);
    } else if (sock->ssl) {
        add_metric(c, METRIC_RECEIVED_BYTES, sock->bytes_read);
        if (use_input(c) && sock->input->size > most_unused(c))
            h2o_socket_read_stop(sock);
    } else {
        ssize_t n = recv(h2o_socket_get_fd(sock), w->scratch, WORKER_SCRATCH, MSG_DONTWAIT);
        if (n > 0) {
            add_metric(c, METRIC_RECEIVED_BYTES, (size_t)n);
            use_scratch(c, w->scratch, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            stream_local_gone(c);
        }
    }
}

static void pause_local(hb_stream *s, bool paused)
{
    struct conn *c = conn_from(s);
    struct worker *w = conn_worker(c);
    if (paused) {
        h2o_socket_read_stop(c->sock);
        return;
    }
    h2o_socket_read_start(c->sock, on_readable);
    if (!c->sock->input->size || c->resumed)
        return;
    list_remove(&c->link);
    list_push_back(&w->resumed, &c->link);
    c->resumed = true;
}

void stream_local_resume(struct worker *w)
{
    struct list now;
    list_init(&now);
    list_for_each_safe(item, &w->resumed) { /* a stream that is paused and resumed again waits */
        list_remove(item);
        list_push_back(&now, item);
    }
    while (!list_empty(&now)) {
        struct conn *c = list_entry(now.next, struct conn, link);
        list_remove(&c->link);
        list_push_back(&w->conns, &c->link);
        c->resumed = false;
        if (c->state == CONN_STREAM && !c->stream.closing)
            use_input(c);
    }
}

/* ---- life ---- */

static bool busy_local(hb_stream *s)
{
    struct conn *c = conn_from(s);
    return c->sock->ssl && h2o_socket_is_writing(c->sock);
}

static void finish_local(hb_stream *s)
{
    conn_linger(conn_from(s));
}

static const struct stream_ops local_ops = {write_local, pause_local, busy_local, finish_local};

void stream_local_open(struct conn *c, size_t reqsize, const hb_stream_events *events, void *owner)
{
    struct worker *w = conn_worker(c);
    h2o_buffer_consume(&c->sock->input, reqsize);
    c->sock->data = c;
    c->state = CONN_STREAM;
    stream_init(&c->stream, &local_ops, events, owner);
    if (!c->sock->ssl)
        c->stream.fd = h2o_socket_get_fd(c->sock);
    if (!c->sock->ssl)
        h2o_socket_dont_read(c->sock, 1);
    h2o_socket_read_start(c->sock, on_readable);
    w->reading = c;
    events->open(owner, &c->stream);
    if (w->reading != c)
        return;
    w->reading = NULL;
    if (c->state == CONN_STREAM && !c->stream.closing)
        use_input(c);
}

void stream_local_gone(struct conn *c)
{
    stream_ended(&c->stream);
    conn_close(c);
}
