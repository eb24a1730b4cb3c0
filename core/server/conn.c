#include "server/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/gate.h"
#include "server/head.h"
#include "server/proxy.h"
#include "server/stream_local.h"
#include "server/park.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REFUSED_MAX = 128,     /* per worker: told by HTTP; the rest in passing */
    REFUSED_MS = 2000,     /* what such a one gets to send its request */
    KEEP_ALIVE_MS = 75000, /* between requests */
    LINGER_MS = 2000,
    USER_TIMEOUT_MIN_MS = 10000,
};

struct conn *conn_of(h2o_socket_t *sock)
{
    return sock->on_close.data;
}

struct conn *conn_of_request(const h2o_req_t *req)
{
    return conn_of(req->conn->callbacks->get_socket(req->conn));
}

struct worker *conn_worker(const struct conn *c)
{
    return c->listener->worker;
}

static const struct config *config_of(const struct conn *c)
{
    return conn_worker(c)->shard.config;
}

static void set_timer(struct conn *c, int64_t ms)
{
    timer_set(&conn_worker(c)->shard.wheel, &c->timer, clock_mono_ms() + (uint64_t)ms);
}

/* ---- limits ---- */

static void uncharge(struct conn *c)
{
    if (c->charged)
        peers_remove(server.peers, &c->peer);
    c->charged = c->charged_once = false;
}

static bool charge(struct conn *c, const struct sockaddr_storage *client)
{
    uncharge(c);
    c->charged = peers_add(server.peers, client, config_of(c)->limits.connections_per_ip, &c->peer);
    return c->charged;
}

bool conn_charge_request(struct conn *c, const struct sockaddr_storage *client)
{
    c->charged_once = charge(c, client);
    return c->charged_once;
}

/* A trusted proxy's connection is charged to its clients, request by request (http.c). */
static hb_code admit(struct conn *c, const struct sockaddr_storage *peer)
{
    const struct config *config = config_of(c);
    if (atomic_fetch_add(&server.connections, 1) >= config->limits.connections) {
        atomic_fetch_sub(&server.connections, 1);
        return HB_UNAVAILABLE;
    }
    c->counted = true;
    if (!config_trusts_proxy(config, (const struct sockaddr *)peer) && !charge(c, peer))
        return HB_RATE_LIMITED;
    return HB_OK;
}

static void uncount(struct conn *c)
{
    uncharge(c);
    if (c->counted)
        atomic_fetch_sub(&server.connections, 1);
    c->counted = false;
}

static void refuse(struct conn *c, hb_code code)
{
    struct worker *w = conn_worker(c);
    uncount(c);
    c->refuse = (uint8_t)code;
    w->n_refused++;
    metrics_inc(w->shard.metrics,
        METRIC_REJECTED + (code == HB_UNAVAILABLE ? REJECTED_CAPACITY : REJECTED_PER_IP));
}

/* Too many to be told by HTTP: a few bytes if the socket takes them, and away. */
static void refuse_in_passing(int fd, bool tls)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
                                 "Connection: close\r\nContent-Length: 0\r\n\r\n";
    if (!tls)
        (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* ---- life ---- */

/* Free what the connection holds for what it was at. */
static void leave_state(struct conn *c)
{
    if (c->state == CONN_STREAM)
        stream_release(&c->stream);
    else if (c->state == CONN_PARKED || c->state == CONN_TAKING)
        park_conn_closed(c);
    else
        timer_cancel(&conn_worker(c)->shard.wheel, &c->timer);
}

static void on_socket_closed(void *arg)
{
    struct conn *c = arg;
    struct worker *w = conn_worker(c);
    leave_state(c);
    if (w->reading == c)
        w->reading = NULL;
    if (c->refuse)
        w->n_refused--;
    uncount(c);
    w->n_conns--;
    list_remove(&c->link);
    free(c);
}

static void set_options(const struct conn *c, int fd)
{
    const struct config *config = config_of(c);
    int one = 1;
    int64_t silence = config->heartbeat.interval_ms + config->heartbeat.timeout_ms;
    unsigned user_timeout = silence < USER_TIMEOUT_MIN_MS ? USER_TIMEOUT_MIN_MS : (unsigned)silence;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
}

static void on_http_time(struct timer *t);

static void enter_http(struct conn *c)
{
    c->state = CONN_HTTP;
    c->tie = NULL;
    c->phase = PHASE_HEAD;
    c->served = false;
    c->quiet_for_ms = 0;
    timer_init(&c->timer, on_http_time);
    set_timer(c, c->refuse ? REFUSED_MS : config_of(c)->limits.header_time_ms);
}

void conn_enter_http(struct conn *c)
{
    timer_cancel(&conn_worker(c)->shard.wheel, &c->timer);
    enter_http(c);
    h2o_accept(&c->listener->accept, c->sock);
}

static void on_proxy_header(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    struct sockaddr_storage client;
    int n = err ? PROXY_BAD : proxy_parse((hb_str){sock->input->bytes, sock->input->size}, &client);
    if (n == PROXY_INCOMPLETE)
        return;
    if (n == PROXY_BAD) {
        if (!err)
            log_write(LOG_WARN, "proxy", "a trusted proxy sent no PROXY header, which "
                "listen.proxy_protocol asks for");
        conn_close(c);
        return;
    }
    h2o_buffer_consume(&sock->input, (size_t)n);
    h2o_socket_read_stop(sock);
    if (client.ss_family != AF_UNSPEC) {
        h2o_socket_setpeername(sock, (struct sockaddr *)&client, sizeof client);
        c->proxied = true;
        if (!c->refuse && !config_trusts_proxy(config_of(c), (struct sockaddr *)&client)
            && !charge(c, &client))
            refuse(c, HB_RATE_LIMITED);
    }
    conn_enter_http(c);
}

static void on_proxy_time(struct timer *t)
{
    conn_close(container_of(t, struct conn, timer));
}

static void begin(struct conn *c, bool trusted)
{
    if (c->listener->index < 0) {
        gate_begin(c);
        return;
    }
    if (!c->listener->proxy_protocol || !trusted) {
        enter_http(c);
        h2o_accept(&c->listener->accept, c->sock);
        return;
    }
    c->state = CONN_PROXY;
    timer_init(&c->timer, on_proxy_time);
    set_timer(c, config_of(c)->limits.header_time_ms);
    h2o_socket_read_start(c->sock, on_proxy_header);
}

void conn_accept(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct worker *w = l->worker;
    if (l->index < 0 && !gate_room(w)) {
        refuse_in_passing(fd, false);
        return;
    }
    struct conn *c = mem_zalloc(sizeof *c);
    c->listener = l;
    hb_code refused = l->index < 0 ? HB_OK : admit(c, peer);
    if (refused)
        refuse(c, refused);
    if (refused && w->n_refused > REFUSED_MAX) {
        w->n_refused--;
        refuse_in_passing(fd, l->accept.ssl_ctx != NULL);
        free(c);
        return;
    }
    set_options(c, fd);
    c->sock = h2o_evloop_socket_create(w->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    c->sock->on_close.cb = on_socket_closed;
    c->sock->on_close.data = c;
    list_push_back(&w->conns, &c->link);
    w->n_conns++;
    begin(c, config_trusts_proxy(config_of(c), (const struct sockaddr *)peer));
}

void conn_peer(const struct conn *c, struct sockaddr_storage *out)
{
    socklen_t n = sizeof *out;
    memset(out, 0, sizeof *out);
    if (c->proxied)
        h2o_socket_getpeername(c->sock, (struct sockaddr *)out);
    else
        getpeername(h2o_socket_get_fd(c->sock), (struct sockaddr *)out, &n);
}

/* ---- the time that a request may take to arrive ---- */

/* What the connection is at, and how long it may stay there; -1: too long already. */
static int64_t next_wait(struct conn *c)
{
    const struct config *config = config_of(c);
    hb_str input = {c->sock->input->bytes, c->sock->input->size};
    uint8_t was = c->phase;
    if (c->tie) {
        c->phase = PHASE_QUIET;
        c->quiet_for_ms = 0;
        return config->limits.header_time_ms;
    }
    if (!input.n && c->served) {
        c->phase = PHASE_QUIET;
        c->quiet_for_ms += (uint32_t)config->limits.header_time_ms;
        return c->quiet_for_ms > KEEP_ALIVE_MS ? -1 : config->limits.header_time_ms;
    }
    c->phase = head_complete(input) ? PHASE_BODY : PHASE_HEAD;
    if (was == c->phase)
        return -1;
    return c->phase == PHASE_BODY ? config->limits.body_time_ms : config->limits.header_time_ms;
}

static void on_http_time(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    int64_t wait = next_wait(c);
    if (wait < 0) /* h2o owns the socket: it closes when reading ends */
        shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
    else
        set_timer(c, wait);
}

void conn_request(struct conn *c, struct tie *tie)
{
    c->tie = tie;
    c->served = true;
}

void conn_request_done(struct conn *c)
{
    if (c->state != CONN_HTTP)
        return;
    c->tie = NULL;
    c->phase = PHASE_QUIET;
    c->quiet_for_ms = 0;
    if (c->charged_once)
        uncharge(c);
}

void conn_taking(struct conn *c)
{
    timer_cancel(&conn_worker(c)->shard.wheel, &c->timer);
    c->state = CONN_TAKING;
    c->parked = NULL;
}

void conn_back_to_http(struct conn *c)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    enter_http(c);
    c->served = true;
    c->phase = PHASE_QUIET;
    if (c->charged_once)
        uncharge(c);
    h2o_socket_dont_read(c->sock, 0);
    h2o_http1_accept(&c->listener->accept, c->sock, now);
}

/* ---- the end ---- */

static void on_linger_time(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    if (c->sock->ssl && !c->unclosed) { /* its good-bye is stuck: make the write fail */
        shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
        return;
    }
    c->unclosed = false;
    if (c->sock->ssl)
        set_timer(c, LINGER_MS);
    h2o_socket_close(c->sock);
}

static void enter_linger(struct conn *c)
{
    leave_state(c);
    c->state = CONN_LINGER;
    if (c->resumed) {
        list_remove(&c->link);
        list_push_back(&conn_worker(c)->conns, &c->link);
        c->resumed = false;
    }
    c->unclosed = false;
    timer_init(&c->timer, on_linger_time);
    set_timer(c, LINGER_MS);
}

void conn_close(struct conn *c)
{
    enter_linger(c);
    if (conn_worker(c)->reading != c) {
        h2o_socket_close(c->sock); /* frees c, at once or after TLS said good-bye */
        return;
    }
    c->unclosed = true; /* the input is what its owner is looking at */
    h2o_socket_read_stop(c->sock);
    set_timer(c, 0);
}

static void on_linger_read(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    char *scratch = conn_worker(c)->scratch;
    ssize_t n = recv(h2o_socket_get_fd(sock), scratch, WORKER_SCRATCH, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        h2o_socket_close(sock);
}

/* Closing at once with bytes unread would make the kernel send a reset, which can overtake and
 * destroy what was written last: say that no more comes, and wait for the peer to close. */
void conn_linger(struct conn *c)
{
    if (c->sock->ssl) {
        conn_close(c);
        return;
    }
    enter_linger(c);
    shutdown(h2o_socket_get_fd(c->sock), SHUT_WR);
    h2o_socket_dont_read(c->sock, 1);
    h2o_socket_read_start(c->sock, on_linger_read);
}

void conn_close_all(struct worker *w)
{
    list_for_each_safe(item, &w->resumed) {
        list_remove(item);
        list_push_back(&w->conns, item);
        list_entry(item, struct conn, link)->resumed = false;
    }
    /* What an owner does about one connection may end others: begin anew each time. */
    bool found = true;
    while (found) {
        found = false;
        list_for_each(item, &w->conns) {
            struct conn *c = list_entry(item, struct conn, link);
            if (c->state == CONN_STREAM && !c->stream.closing) {
                stream_local_gone(c);
                found = true;
                break;
            }
            if ((c->state == CONN_PARKED && park_gone(c))
                || (c->state == CONN_HTTP && c->tie && request_give_up(c->tie))) {
                found = true;
                break;
            }
        }
    }
    list_for_each(item, &w->conns)
        shutdown(h2o_socket_get_fd(list_entry(item, struct conn, link)->sock), SHUT_RDWR);
}
