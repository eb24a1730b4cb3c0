#include "conn.h"
#include "../common/utf8.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct conn) <= 96, "an idle connection is small");

struct conn *conn_create(struct worker *w, bool echo, bool compression)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c)
        *c = (struct conn){.worker = w, .echo = echo, .compression = compression};
    return c;
}

void conn_destroy(struct conn *c)
{
    if (!c)
        return;
    frame_finish(&c->parser);
    free(c);
}

/* Frees what nobody refers to: no session, no callback running, no `open` to come. */
static void release(struct conn *c)
{
    if (c->over && !c->busy && !c->taken)
        conn_destroy(c);
}

/* ---- out ---- */

static void write_bytes(struct conn *c, const char *bytes, size_t n)
{
    if (c->session)
        c->worker->net->push(c->session, bytes, n);
    else if (c->stream && c->worker->net->stream_write(c->stream, bytes, n) != n)
        c->state = CONN_CLOSING; /* its reader does not keep up */
}

static void write_control(struct conn *c, unsigned opcode, hb_str payload)
{
    char bytes[FRAME_HEAD_MAX + FRAME_CONTROL_MAX];
    size_t n = frame_head(bytes, FRAME_FIN | opcode, payload.n);
    if (payload.n > 0)
        memcpy(bytes + n, payload.p, payload.n);
    write_bytes(c, bytes, n + payload.n);
}

static void write_close(struct conn *c, unsigned code, hb_str reason)
{
    char bytes[FRAME_CLOSE_MAX];
    if (c->state >= CONN_CLOSING)
        return;
    write_bytes(c, bytes, frame_close(bytes, code, reason));
    c->state = CONN_CLOSING;
}

/* Our close frame is the last word: the session ends, the stream after what is queued. */
static void hang_up(struct conn *c, unsigned code, hb_end why)
{
    write_close(c, code, (hb_str){NULL, 0});
    if (c->session)
        c->worker->net->end(c->session, why, why == HB_END_ERROR);
}

static void write_message(struct conn *c, unsigned first, hb_str payload)
{
    char head[FRAME_HEAD_MAX];
    write_bytes(c, head, frame_head(head, first, payload.n));
    if (payload.n > 0 && c->state == CONN_OPEN)
        write_bytes(c, payload.p, payload.n);
}

static void echo(struct conn *c, unsigned opcode, hb_str payload)
{
    struct worker *w = c->worker;
    hb_str packed;
    if (c->compression && payload.n >= w->threshold &&
        deflate_message(w->deflater, payload, &packed))
        write_message(c, FRAME_FIN | FRAME_RSV1 | opcode, packed);
    else
        write_message(c, FRAME_FIN | opcode, payload);
    deflate_rest(w->deflater);
}

/* ---- in ---- */

static size_t limit(const struct worker *w, hb_limit which)
{
    int64_t bytes = w->net->limit(which);
    return (size_t)(bytes < LIMIT_MAX ? bytes : LIMIT_MAX);
}

/* Inflates a message in place of its payload. Returns a close code, or 0. */
static unsigned unpack(struct worker *w, enum frame_kind kind, hb_str *payload)
{
    switch (inflate_message(w->deflater, *payload, limit(w, HB_LIMIT_INFLATED_SIZE), payload)) {
    case INFLATE_OK:
        break;
    case INFLATE_BAD:
        return CLOSE_INVALID;
    case INFLATE_TOO_BIG:
        return CLOSE_TOO_BIG;
    case INFLATE_NO_MEMORY:
        return CLOSE_INTERNAL;
    }
    if (kind == FRAME_TEXT && utf8_check(UTF8_START, payload->p, payload->n) != UTF8_START)
        return CLOSE_INVALID;
    return 0;
}

static void message(struct conn *c, const struct frame_item *item)
{
    hb_str payload = item->payload;
    unsigned code = item->compressed ? unpack(c->worker, item->kind, &payload) : 0;
    if (code)
        hang_up(c, code, HB_END_ERROR);
    else if (c->echo)
        echo(c, item->kind == FRAME_TEXT ? FRAME_OP_TEXT : FRAME_OP_BINARY, payload);
    else
        c->worker->net->input(c->session, payload);
    if (item->compressed)
        inflate_rest(c->worker->deflater);
}

static void handle(struct conn *c, const struct frame_item *item)
{
    switch (item->kind) {
    case FRAME_MORE:
    case FRAME_PONG: /* any byte counts as a sign of life already */
        break;
    case FRAME_TEXT:
    case FRAME_BINARY:
        message(c, item);
        break;
    case FRAME_PING:
        write_control(c, FRAME_OP_PONG, item->payload);
        break;
    case FRAME_CLOSE:
        hang_up(c, item->code, HB_END_CLIENT);
        break;
    case FRAME_FAULT:
        hang_up(c, item->code, HB_END_ERROR);
        break;
    }
}

static void read_frames(struct conn *c, const char *bytes, size_t n, size_t *used)
{
    struct worker *w = c->worker;
    const struct frame_rules rules = {
        .max_bytes = limit(w, HB_LIMIT_MESSAGE_SIZE),
        .compression = c->compression,
        .text_only = !c->echo,
        .scratch = w->scratch,
        .scratch_size = sizeof(w->scratch),
    };
    struct frame_item item;
    do {
        *used += frame_next(&c->parser, &rules, bytes + *used, n - *used, &item);
        handle(c, &item);
    } while (item.kind != FRAME_MORE && c->state == CONN_OPEN && !c->over);
}

static size_t on_data(void *owner, const char *bytes, size_t n)
{
    struct conn *c = owner;
    size_t used = 0;
    if (c->state != CONN_OPEN || c->over)
        return n;
    if (c->session)
        c->worker->net->touch(c->session);
    c->busy = true;
    read_frames(c, bytes, n, &used);
    c->busy = false;
    if (c->state != CONN_OPEN)
        used = n;
    if (c->state == CONN_CLOSING && c->echo) {
        c->worker->net->stream_close(c->stream);
        c->over = true;
    }
    release(c);
    return used;
}

/* The connection is no more: its session ends, and with that the conn; or there was none. */
static void lost(struct conn *c)
{
    c->stream = NULL;
    c->state = CONN_GONE;
    c->over |= c->echo;
    if (c->session)
        c->worker->net->end(c->session, HB_END_CLIENT, false);
    else
        release(c);
}

static void on_open(void *owner, hb_stream *stream)
{
    struct conn *c = owner;
    const hb_net *net = c->worker->net;
    bool closing = c->state == CONN_CLOSING; /* meanwhile: its close frame still goes out */
    c->taken = false;
    if (!stream) {
        lost(c);
        return;
    }
    if (!c->session && !c->echo) { /* the session ended before its stream came */
        net->stream_close(stream);
        release(c);
        return;
    }
    c->stream = stream;
    c->state = closing ? CONN_CLOSING : CONN_OPEN;
    c->busy = true;
    if (c->session)
        net->attach(c->session, stream);
    if (c->session && !closing)
        net->start(c->session, NULL, 0, (hb_str){NULL, 0}, NULL);
    c->busy = false;
    release(c);
}

static void on_closed(void *owner)
{
    lost(owner);
}

const hb_stream_events conn_events = {
    .size = sizeof(hb_stream_events),
    .open = on_open,
    .data = on_data,
    .closed = on_closed,
};

/* ---- the session's callbacks ---- */

void conn_heartbeat(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->state == CONN_OPEN)
        write_control(c, FRAME_OP_PING, (hb_str){NULL, 0});
}

void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    (void)ctx;
    write_close(conn, frame_close_code_valid((unsigned)close_code) ? (unsigned)close_code
                                                                   : CLOSE_INTERNAL, reason);
}

void conn_ended(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    c->session = NULL;
    c->over = true;
    release(c);
}
