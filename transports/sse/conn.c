#include "conn.h"
#include <stdlib.h>
#include <string.h>

enum { OPENING_ID_MAX = 512 /* of the ids that stand before the last of the opening */ };

struct conn *conn_create(const hb_net *net, struct opening *opening)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c)
        *c = (struct conn){.net = net, .opening = opening};
    return c;
}

void conn_destroy(struct conn *c)
{
    if (!c)
        return;
    opening_destroy(c->net, c->opening);
    free(c);
}

static void add(struct conn *c, hb_out *out, hb_str s)
{
    c->net->out(out, s.p, s.n);
}

/* ---- the opening: what the client is told first ---- */

/* Ids that a client brought come back to it only if they can't be anything else. */
static bool is_cursor(hb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", s.p[i]) ||
            !s.p[i])
            return false;
    return s.n > 0;
}

/* In place of the blank line that ends the last event of `out`. */
static void put_id(struct conn *c, hb_out *out, hb_str id)
{
    if (id.n == 0)
        return;
    c->net->out_truncate(out, c->net->out_size(out) - 1);
    add(c, out, HB_STR("id: "));
    add(c, out, id);
    add(c, out, HB_STR("\n\n"));
}

/* The id of the whole opening: where its rooms stand, and of those that were not joined what the
 * client brought. */
static void put_position(struct conn *c, hb_out *out)
{
    const hb_net *net = c->net;
    hb_out *now = net->out_create();
    net->cursor(c->session, now);
    const hb_str both[] = {net->out_view(now), c->opening->cursor};
    if (!both[1].p || net->cursor_merge(both, 2, out) < 2) {
        net->out_truncate(out, 0);
        add(c, out, both[0]);
    }
    net->out_destroy(now);
}

/*
 * `joined` may say that a room could not be recovered. Until it was told that, the client must come
 * back with the cursor that it brought, or the gap would be hidden: so only the last event of the
 * opening names the new position. What was published meanwhile comes behind.
 */
static void write_opening(struct conn *c, hb_out *head, hb_out *rest, hb_out *position)
{
    const hb_net *net = c->net;
    hb_out *one = net->out_create();
    size_t last = 0;
    put_position(c, position);
    hb_str brought = c->opening->cursor, final = net->out_view(position);
    hb_str early = brought.p ? brought : final;
    if (early.n > OPENING_ID_MAX || !is_cursor(early))
        early.n = 0;
    while (c->slot = SLOT_NONE, net->take(c->session, 0, (hb_str){NULL, 0}, one) > 0) {
        add(c, c->slot == SLOT_OPENING ? head : rest, net->out_view(one));
        if (c->slot == SLOT_OPENING) {
            last = net->out_size(head);
            put_id(c, head, early);
        }
        net->out_truncate(one, 0);
    }
    if (last > 0) {
        net->out_truncate(head, last);
        put_id(c, head, final);
    }
    net->out_destroy(one);
}

/* In front of everything else in the outbox. False: out of memory. */
static bool queue_opening(const hb_ctx *ctx, struct conn *c)
{
    const hb_net *net = c->net;
    hb_out *head = net->out_create(), *rest = net->out_create(), *position = net->out_create();
    conn_prelude(ctx, head);
    write_opening(c, head, rest, position);
    add(c, head, net->out_view(rest));
    bool ok = !net->out_failed(head) && !net->out_failed(rest) && !net->out_failed(position);
    if (ok)
        net->push(c->session, net->out_view(head).p, net->out_size(head));
    net->out_destroy(head);
    net->out_destroy(rest);
    net->out_destroy(position);
    return ok;
}

/* ---- the stream ---- */

/* The connection is no more: its session ends, and with that the conn; or there was none. */
static void lost(struct conn *c)
{
    c->state = CONN_GONE;
    if (c->session)
        c->net->end(c->session, HB_END_CLIENT, false);
    else
        conn_destroy(c);
}

static void on_open(void *owner, hb_stream *stream)
{
    struct conn *c = owner;
    if (!stream) {
        lost(c);
        return;
    }
    if (!c->session) { /* it ended before its stream came */
        c->net->stream_close(stream);
        conn_destroy(c);
        return;
    }
    c->state = CONN_OPEN;
    bool closing = c->closing;
    c->net->attach(c->session, stream);
    if (closing)
        c->net->end(c->session, HB_END_KICKED, true);
}

/* A client has nothing to say here. */
static size_t on_data(void *owner, const char *bytes, size_t n)
{
    (void)owner;
    (void)bytes;
    return n;
}

static void on_closed(void *owner)
{
    lost(owner);
}

static const hb_stream_events stream_events = {
    .size = sizeof(hb_stream_events),
    .open = on_open,
    .data = on_data,
    .closed = on_closed,
};

/* ---- its request ---- */

static void drop_opening(struct conn *c)
{
    opening_destroy(c->net, c->opening);
    c->opening = NULL;
}

/* The request is answered with an error, the session over. */
static void refuse(struct conn *c, hb_code code, hb_str message)
{
    hb_request *req = c->req;
    drop_opening(c);
    c->req = NULL;
    req->gone = NULL;
    c->net->respond_error(req, code, message, 0);
    c->net->end(c->session, HB_END_REFUSED, true);
}

static void on_gone(hb_request *req)
{
    struct conn *c = req->owner;
    drop_opening(c);
    c->req = NULL;
    c->net->end(c->session, HB_END_CLIENT, true);
}

static void started(const hb_ctx *ctx, void *conn, hb_code code, hb_str message)
{
    static const hb_header headers[] = {
        {HB_STR("content-type"), HB_STR("text/event-stream")},
        {HB_STR("cache-control"), HB_STR("no-store")},
        {HB_STR("x-accel-buffering"), HB_STR("no")},
    };
    struct conn *c = conn;
    hb_request *req = c->req;
    if (!req)
        return;
    if (code != HB_OK) {
        refuse(c, code, message);
        return;
    }
    if (!queue_opening(ctx, c)) {
        refuse(c, HB_UNAVAILABLE, HB_STR("Out of memory."));
        return;
    }
    drop_opening(c); /* the request's strings go with it */
    c->req = NULL;
    req->gone = NULL;
    c->state = CONN_TAKING;
    c->net->take_over(req, 200, headers, 3, &stream_events, c);
}

void conn_start(struct conn *c, hb_request *req, hb_session *session)
{
    const struct opening *o = c->opening;
    c->session = session;
    c->req = req;
    req->owner = c;
    req->gone = on_gone;
    c->net->start(session, o->rooms, o->n_rooms, o->cursor, started);
}

/* ---- the session's callbacks ---- */

void conn_fill(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out)
{
    struct conn *c = conn;
    (void)ctx;
    c->slot = (uint8_t)slot;
    if (c->state == CONN_OPENING && slot == SLOT_OPENING)
        return;
    add(c, out, HB_STR("id: "));
    c->net->cursor(c->session, out);
    add(c, out, HB_STR("\n"));
}

void conn_heartbeat(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->state == CONN_OPEN)
        c->net->push(c->session, ":\n\n", 3);
}

/* The bye is queued; a stream that is there gets it, then ends. */
void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->state == CONN_OPEN)
        c->net->end(c->session, HB_END_KICKED, true);
    else if (c->req)
        refuse(c, close_code == 4001 ? HB_UNAUTHORIZED : close_code == 4003 ? HB_FORBIDDEN
            : HB_UNAVAILABLE, reason);
    else
        c->closing = true;
}

void conn_ended(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->req) {
        c->req->gone = NULL;
        c->net->respond_error(c->req, HB_UNAVAILABLE, HB_STR("This session has ended."), 0);
        c->req = NULL;
    }
    c->session = NULL;
    if (c->state != CONN_TAKING)
        conn_destroy(c);
}
