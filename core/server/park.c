#include "server/park.h"

#include "server/conn.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parked {
    struct conn *conn;       /* NULL: closed */
    struct request *request; /* NULL: answered */
    bool begun;              /* the head is out */
    bool chunked, again;
    h2o_iovec_t answer;      /* owned; being written, or waiting for the head */
};

static void destroy(struct parked *p)
{
    free(p->answer.base);
    free(p);
}

/* The owner hears of it once, and the request is gone. */
static void tell_gone(struct parked *p)
{
    struct request *r = p->request;
    p->request = NULL;
    if (!r)
        return;
    if (r->pub.gone)
        r->pub.gone(&r->pub);
    request_destroy(r);
}

void park_conn_closed(struct conn *c)
{
    struct parked *p = c->parked;
    if (!p)
        return;
    p->conn = NULL;
    if (p->begun) /* else on_head_sent is still to come */
        destroy(p);
}

bool park_gone(struct conn *c)
{
    struct parked *p = c->parked;
    if (!p->request)
        return false;
    tell_gone(p);
    conn_close(c);
    return true;
}

static void on_answered(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    struct parked *p = c->parked;
    bool again = p->again;
    if (err) {
        conn_close(c);
        return;
    }
    c->parked = NULL;
    destroy(p);
    if (again)
        conn_back_to_http(c);
    else
        conn_linger(c);
}

static void write_answer(struct parked *p)
{
    h2o_socket_read_stop(p->conn->sock);
    h2o_socket_write(p->conn->sock, &p->answer, 1, on_answered);
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    char byte;
    ssize_t n = sock->ssl ? 1 : recv(h2o_socket_get_fd(sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (err || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        park_gone(c);
    else if (n > 0 && (!sock->ssl || sock->input->size))
        h2o_socket_read_stop(sock); /* its next request: read when this one is answered */
}

static void on_head_sent(void *arg, h2o_socket_t *sock, size_t reqsize)
{
    struct parked *p = arg;
    p->begun = true;
    if (!sock) { /* p->conn may still be saying good-bye by TLS */
        if (p->conn)
            p->conn->parked = NULL;
        tell_gone(p);
        destroy(p);
        return;
    }
    h2o_buffer_consume(&sock->input, reqsize);
    sock->data = p->conn;
    if (p->request)
        request_slim(p->request);
    p->conn->state = CONN_PARKED;
    if (!sock->ssl)
        h2o_socket_dont_read(sock, 1);
    if (!p->request)
        write_answer(p);
    else if (!sock->input->size)
        h2o_socket_read_start(sock, on_readable);
}

void park_begin(struct request *r, struct conn *c, h2o_req_t *h, bool chunked, bool again)
{
    struct parked *p = mem_zalloc(sizeof *p);
    *p = (struct parked){.conn = c, .request = r, .chunked = chunked, .again = again};
    r->parked = p;
    c->parked = p;
    h2o_http1_upgrade(h, NULL, 0, on_head_sent, p);
}

/* The body as it goes over the wire: one chunk and the last, or as it is. */
static h2o_iovec_t wire_form(const struct parked *p, hb_str body)
{
    static const char end[] = "\r\n0\r\n\r\n";
    h2o_iovec_t out = {mem_try_alloc(body.n + 32 + sizeof end), 0};
    if (!out.base)
        return out;
    if (p->chunked && body.n)
        out.len = (size_t)sprintf(out.base, "%zx\r\n", body.n);
    if (body.n)
        memcpy(out.base + out.len, body.p, body.n);
    out.len += body.n;
    if (p->chunked) {
        const char *last = body.n ? end : end + 2;
        memcpy(out.base + out.len, last, strlen(last));
        out.len += strlen(last);
    }
    return out;
}

void park_respond(struct request *r, hb_str body)
{
    struct parked *p = r->parked;
    p->request = NULL;
    metrics_add(r->worker->shard.metrics, METRIC_SENT_BYTES, (int64_t)body.n);
    request_destroy(r);
    if (!p->conn)
        return; /* on_head_sent frees p */
    p->answer = wire_form(p, body);
    if (!p->answer.base) {
        shutdown(h2o_socket_get_fd(p->conn->sock), SHUT_RDWR);
        p->answer = (h2o_iovec_t){NULL, 0};
    }
    if (p->begun)
        write_answer(p);
}
