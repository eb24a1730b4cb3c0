#include "server/gate.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/head.h"
#include "server/request.h"
#include <errno.h>

enum {
    CONNS_MAX = 256,
    LEAVING_MAX = 64, /* told to go, and not gone yet */
    HEAD_MAX = 64 * 1024,
    STRANGER_BODY_MAX = 64 * 1024, /* enough to be told what is wrong */
    RECEIVE_BYTES = 256 * 1024,    /* the kernel's buffer: what one turn can add */
    HELD_MAX = 64 * 1024 * 1024,   /* bytes read and not answered yet, of all connections */
};

/* ---- the first head ---- */

/* Answer without the HTTP library, which would read the body first. */
static void turn_away(struct conn *c, hb_code code, const char *why)
{
    struct buf head = BUF_INIT, body = BUF_INIT;
    int status = request_status(code);
    request_error_body(&body, code, str_of(why));
    buf_printf(&head,
        "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sConnection: close\r\n"
        "Content-Length: %zu\r\n\r\n",
        status, request_reason(status), status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
        body.n);
    buf_str(&head, buf_view(&body));
    (void)!send(h2o_socket_get_fd(c->sock), head.p, head.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_finish(&head);
    buf_finish(&body);
    h2o_socket_read_stop(c->sock);
    h2o_buffer_dispose(&c->sock->input);
    h2o_buffer_init(&c->sock->input, &h2o_socket_buffer_prototype);
    conn_linger(c);
}

static hb_code judge(const struct conn *c, hb_str head, const char **why)
{
    const struct server_asker who = {
        .method = head_method(head),
        .host = head_field(head, HB_STR("host")),
        .origin = head_field(head, HB_STR("origin")),
        .authorization = head_field(head, HB_STR("authorization")),
        .content_type = head_field(head, HB_STR("content-type")),
    };
    *why = "there is nothing here";
    return server.judge ? server.judge(conn_worker(c)->shard.config, &who, why) : HB_NOT_FOUND;
}

/* A stranger's request with a body that is small and of a known size is answered as any other. */
static bool is_modest(hb_str head, enum head_verdict verdict)
{
    hb_str length = head_field(head, HB_STR("content-length"));
    uint64_t n = 0;
    return verdict == HEAD_OK && (!length.p || (str_u64(length, &n) && n <= STRANGER_BODY_MAX));
}

static void on_head(h2o_socket_t *sock, const char *err)
{
    struct conn *c = conn_of(sock);
    hb_str input = {sock->input->bytes, sock->input->size};
    const char *why = "";
    if (err) {
        conn_close(c);
        return;
    }
    enum head_verdict verdict = head_check(input);
    if (verdict == HEAD_INCOMPLETE) {
        if (input.n > HEAD_MAX)
            turn_away(c, HB_TOO_LARGE, "The request's head is too large.");
        return;
    }
    if (verdict == HEAD_BAD) {
        turn_away(c, HB_BAD_REQUEST, "This request could be read in more than one way.");
        return;
    }
    hb_code code = judge(c, input, &why);
    if (code != HB_OK && !is_modest(input, verdict)) {
        turn_away(c, code, why);
        return;
    }
    c->trusted = code == HB_OK;
    h2o_socket_read_stop(sock);
    conn_enter_http(c);
}

static void on_time(struct timer *t)
{
    conn_close(container_of(t, struct conn, timer));
}

void gate_begin(struct conn *c)
{
    struct worker *w = conn_worker(c);
    int receive = RECEIVE_BYTES;
    setsockopt(h2o_socket_get_fd(c->sock), SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    c->state = CONN_GATE;
    timer_init(&c->timer, on_time);
    timer_set(&w->shard.wheel, &c->timer,
        clock_mono_ms() + (uint64_t)w->shard.config->limits.header_time_ms);
    h2o_socket_read_start(c->sock, on_head);
}

/* ---- bounds ---- */

/* Whoever owns the socket closes it when reading ends. */
static void send_off(struct conn *c)
{
    shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
    c->leaving = true;
}

static bool is_waiting(const struct conn *c)
{
    return !c->leaving &&
           (c->state == CONN_GATE || c->state == CONN_LINGER || (c->state == CONN_HTTP && !c->tie));
}

bool gate_room(struct worker *w)
{
    struct conn *oldest = NULL;
    if (w->n_conns < CONNS_MAX)
        return true;
    list_for_each(item, &w->conns)
    {
        struct conn *c = list_entry(item, struct conn, link);
        if (is_waiting(c) && (!oldest || (oldest->trusted && !c->trusted)))
            oldest = c;
    }
    if (!oldest || w->n_conns >= CONNS_MAX + LEAVING_MAX)
        return false;
    send_off(oldest);
    return true;
}

/* The one that holds most of those whose request is not whole yet; *held: what all hold. */
static struct conn *largest(struct worker *w, size_t *held)
{
    struct conn *most = NULL;
    *held = 0;
    list_for_each(item, &w->conns)
    {
        struct conn *c = list_entry(item, struct conn, link);
        if (c->leaving)
            continue;
        *held += c->sock->input->capacity;
        if (is_waiting(c) && (!most || c->sock->input->capacity > most->sock->input->capacity))
            most = c;
    }
    return most;
}

void gate_turn(struct worker *w)
{
    size_t held;
    for (struct conn *c; (c = largest(w, &held)) && held > HELD_MAX;) {
        log_write(LOG_WARN, "admin",
            "requests to the admin listener hold more than %d MiB: the "
            "largest is dropped",
            HELD_MAX >> 20);
        send_off(c);
    }
}
