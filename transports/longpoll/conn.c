#include "conn.h"
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 256 << 10,  /* bytes of messages in an answer, unless a single one is longer */
    LEAVING_MS = 1000,       /* for the next poll, when the server is about to go */
    CODE_LEAVING = 1001,
    CODE_CREDENTIALS = 4001,
    CODE_SLOW = 4008,
};

static const hb_header headers[] = {
    {HB_STR("content-type"), HB_STR("application/json")},
    {HB_STR("cache-control"), HB_STR("no-store")},
};

struct conn *conn_create(struct worker *w, struct opening *opening)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c)
        *c = (struct conn){.worker = w, .opening = opening};
    return c;
}

void conn_destroy(struct conn *c)
{
    if (!c)
        return;
    opening_free(c->worker->net, c->opening);
    free(c->kept);
    free(c);
}

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

/* ---- time ---- */

static void set_timer(struct conn *c, uint64_t after_ms)
{
    c->worker->ctx->host->timer_set(c->worker->ctx, &c->timer, after_ms);
}

static void linger(struct conn *c)
{
    uint64_t ms = c->worker->linger_ms;
    set_timer(c, c->close_code == CODE_LEAVING && ms > LEAVING_MS ? LEAVING_MS : ms);
}

/* ---- answers ---- */

static void text(const hb_net *net, hb_out *out, const char *s)
{
    net->out(out, s, strlen(s));
}

static void add(const hb_net *net, hb_out *out, hb_str s)
{
    net->out(out, s.p, s.n);
}

/* Everything of an answer in front of its messages. The strings are base64url or the like. */
static void put_head(struct conn *c, hb_out *out)
{
    const hb_net *net = net_of(c);
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    text(net, out, "{\"session\":\"");
    add(net, out, info.id);
    if (!c->introduced) {
        text(net, out, "\",\"ticket\":\"");
        add(net, out, net->ticket(c->session));
    }
    c->introduced = true;
    text(net, out, "\",\"cursor\":\"");
    size_t at = net->out_size(out);
    net->cursor(c->session, out);
    c->cursor_at = at;
    c->n_cursor = net->out_size(out) - at;
    text(net, out, "\",\"messages\":[");
}

static void respond(struct conn *c, hb_str body)
{
    hb_request *req = c->poll;
    c->poll = NULL;
    req->gone = NULL;
    linger(c);
    net_of(c)->respond(req, 200, headers, 2, body);
}

static void respond_error(struct conn *c, hb_code code, hb_str message)
{
    hb_request *req = c->poll;
    c->poll = NULL;
    req->gone = NULL;
    net_of(c)->respond_error(req, code, message, 0);
}

static bool keep(struct conn *c, hb_str body)
{
    c->kept = malloc(body.n);
    if (!c->kept)
        return false;
    memcpy(c->kept, body.p, body.n);
    c->n_kept = body.n;
    return true;
}

/* What was taken is lost, so the session can't go on: it is recovered by cursor. */
static void give_up(struct conn *c)
{
    respond_error(c, HB_UNAVAILABLE, HB_STR("Out of memory."));
    net_of(c)->end(c->session, HB_END_SLOW, false);
}

/* Answers with what waits. False: nothing does. */
static bool answer_something(struct conn *c)
{
    const hb_net *net = net_of(c);
    hb_out *messages = net->out_create(), *body = net->out_create();
    bool some = net->take(c->session, ANSWER_MAX, HB_STR(","), messages) > 0;
    if (some) {
        put_head(c, body);
        add(net, body, net->out_view(messages));
        text(net, body, "]}");
        hb_str view = net->out_view(body);
        if (net->out_failed(messages) || net->out_failed(body) || !keep(c, view))
            give_up(c);
        else
            respond(c, view);
    }
    net->out_destroy(messages);
    net->out_destroy(body);
    return some;
}

/* Nothing is kept then: the client may come back with whichever cursor it likes. */
static void answer_nothing(struct conn *c)
{
    const hb_net *net = net_of(c);
    hb_out *body = net->out_create();
    put_head(c, body);
    text(net, body, "]}");
    if (net->out_failed(body))
        give_up(c);
    else
        respond(c, net->out_view(body));
    net->out_destroy(body);
}

static bool has_kept(const struct conn *c, const hb_str *cursors, size_t n_cursors)
{
    for (size_t i = 0; i < n_cursors; i++)
        if (cursors[i].n == c->n_cursor &&
            memcmp(cursors[i].p, c->kept + c->cursor_at, c->n_cursor) == 0)
            return true;
    return false;
}

/* ---- polls ---- */

static void on_poll_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->poll = NULL;
    if (c->state == CONN_OPENING)
        net_of(c)->end(c->session, HB_END_CLIENT, true);
    else
        linger(c);
}

static void take_request(struct conn *c, hb_request *req)
{
    c->poll = req;
    req->owner = c;
    req->gone = on_poll_gone;
}

static void park(struct conn *c)
{
    set_timer(c, c->worker->wait_ms);
    net_of(c)->park(c->poll, headers, 2);
}

static hb_code code_of(int close_code)
{
    return close_code == CODE_CREDENTIALS ? HB_UNAUTHORIZED : HB_NOT_FOUND;
}

hb_code conn_poll(struct conn *c, hb_request *req, const hb_str *cursors, size_t n_cursors)
{
    if (c->poll)
        answer_nothing(c);
    take_request(c, req);
    if (c->kept && has_kept(c, cursors, n_cursors)) {
        free(c->kept);
        c->kept = NULL;
    }
    if (c->kept) {
        respond(c, (hb_str){c->kept, c->n_kept});
    } else if (!answer_something(c)) {
        if (c->state == CONN_CLOSED) {
            c->poll = NULL;
            req->gone = NULL;
            return code_of(c->close_code);
        }
        park(c);
    }
    return HB_OK;
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct conn *c = t->owner;
    (void)ctx;
    if (c->poll)
        answer_nothing(c);
    else
        net_of(c)->end(c->session, HB_END_CLIENT, false);
}

/* ---- life ---- */

static void drop_opening(struct conn *c)
{
    opening_free(net_of(c), c->opening);
    c->opening = NULL;
}

static void started(const hb_ctx *ctx, void *conn, hb_code code, hb_str message)
{
    struct conn *c = conn;
    (void)ctx;
    if (!c->poll)
        return;
    drop_opening(c);
    if (code == HB_OK) {
        c->state = CONN_LIVE;
        answer_something(c);
        return;
    }
    respond_error(c, code, message);
    net_of(c)->end(c->session, HB_END_REFUSED, true);
}

void conn_start(struct conn *c, hb_request *req, hb_session *session)
{
    const struct opening *o = c->opening;
    c->session = session;
    c->timer.owner = c;
    c->timer.fire = on_timer;
    take_request(c, req);
    net_of(c)->start(session, o->rooms, o->n_rooms, o->cursor, started);
}

void conn_ready(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->state == CONN_LIVE && c->poll)
        answer_something(c);
}

/* The bye is queued. A server that goes does not stay for an answer that got lost. */
void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    struct conn *c = conn;
    (void)ctx;
    (void)reason;
    bool waiting = c->poll != NULL, something = waiting && answer_something(c);
    drop_opening(c);
    c->state = CONN_CLOSED;
    c->close_code = close_code;
    if (waiting && !something)
        answer_nothing(c);
    if (waiting ? !something || close_code == CODE_LEAVING : close_code == CODE_SLOW && !c->kept)
        net_of(c)->end(c->session, HB_END_SLOW, false);
    else if (close_code == CODE_LEAVING)
        linger(c);
}

void conn_ended(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    if (c->poll && c->state == CONN_OPENING)
        respond_error(c, HB_UNAVAILABLE, HB_STR("This session has ended."));
    else if (c->poll)
        answer_nothing(c);
    ctx->host->timer_cancel(ctx, &c->timer);
    conn_destroy(c);
}
