#include "link.h"
#include "engine.h"
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void release(struct link *link)
{
    if (link->conn || link->busy || link->taken || link->stream)
        return;
    frame_finish(&link->parser);
    free(link);
}

static void close_stream(struct link *link)
{
    hb_stream *stream = link->stream;
    link->stream = NULL;
    link->state = LINK_GONE;
    if (stream)
        link->worker->net->stream_close(stream);
}

void link_drop(struct link *link)
{
    char bytes[FRAME_CLOSE_MAX];
    link->conn = NULL;
    if (link->state == LINK_OPEN) {
        size_t n = frame_close(bytes, CLOSE_NONE, (hb_str){NULL, 0});
        link->worker->net->stream_write(link->stream, bytes, n);
    }
    close_stream(link);
    release(link);
}

void link_abandon(struct link *link)
{
    link->conn = NULL;
    link->stream = NULL;
    link->state = LINK_GONE;
    release(link);
}

/* ---- in ---- */

static size_t max_bytes(const struct worker *w)
{
    return (size_t)w->options->max_payload;
}

static void handle(struct link *link, const struct frame_item *item)
{
    struct conn *conn = link->conn;
    switch (item->kind) {
    case FRAME_MORE:
    case FRAME_PONG:
        break;
    case FRAME_TEXT:
        carrier_text(conn, link, item->payload);
        break;
    case FRAME_BINARY:
        carrier_binary(conn, link, item->payload);
        break;
    case FRAME_PING:
        carrier_pong(conn, link, item->payload);
        break;
    case FRAME_CLOSE:
        carrier_hung_up(conn, link, item->code, HB_END_CLIENT);
        break;
    case FRAME_FAULT:
        carrier_hung_up(conn, link, item->code, HB_END_ERROR);
        break;
    }
}

static bool may_read(const struct link *link)
{
    return link->state == LINK_OPEN && link->conn && !engine_is_full(link->conn);
}

static size_t on_data(void *owner, const char *bytes, size_t n)
{
    struct link *link = owner;
    struct worker *w = link->worker;
    const struct frame_rules rules = {.max_bytes = max_bytes(w), .scratch = w->scratch,
        .scratch_size = sizeof(w->scratch)};
    struct frame_item item = {.kind = FRAME_PONG};
    size_t used = 0;
    if (link->state != LINK_OPEN || !link->conn)
        return n;
    link->busy = true;
    while (item.kind != FRAME_MORE && may_read(link)) {
        used += frame_next(&link->parser, &rules, bytes + used, n - used, &item);
        handle(link, &item);
    }
    link->busy = false;
    if (link->state != LINK_OPEN || !link->conn)
        used = n;
    else if (engine_is_full(link->conn))
        carrier_pause(link->conn, true);
    release(link);
    return used;
}

/* ---- the stream ---- */

static void on_closed(void *owner)
{
    struct link *link = owner;
    bool busy = link->busy;
    link->stream = NULL;
    link->state = LINK_GONE;
    link->busy = true;
    if (link->conn)
        carrier_lost(link->conn, link);
    link->busy = busy;
    link->conn = NULL;
    release(link);
}

static void on_open(void *owner, hb_stream *stream)
{
    struct link *link = owner;
    link->taken = false;
    if (!stream) {
        on_closed(link);
        return;
    }
    link->stream = stream;
    link->state = LINK_OPEN;
    if (!link->conn) {
        link_drop(link);
        return;
    }
    bool busy = link->busy; /* within link_create */
    link->busy = true;
    carrier_linked(link->conn, link);
    link->busy = busy;
    release(link);
}

static const hb_stream_events events = {
    .size = sizeof(hb_stream_events), .open = on_open, .data = on_data, .closed = on_closed,
};

struct handshake_request link_headers(const hb_net *net, const hb_request *req)
{
    return (struct handshake_request){
        .method = req->method,
        .http_minor = req->http_minor,
        .upgrade = net->header(req, HB_STR("upgrade")),
        .connection = net->header(req, HB_STR("connection")),
        .version = net->header(req, HB_STR("sec-websocket-version")),
        .key = net->header(req, HB_STR("sec-websocket-key")),
    };
}

bool link_create(struct worker *w, hb_request *req, struct conn *conn, bool carries)
{
    struct link *link = calloc(1, sizeof(*link));
    char accept[HANDSHAKE_ACCEPT_SIZE];
    if (!link)
        return false;
    *link = (struct link){.worker = w, .conn = conn, .carries = carries, .taken = true, .busy = true};
    handshake_accept(link_headers(w->net, req).key, accept);
    /* A browser gives up when it offered subprotocols and none is taken. */
    const hb_str offer = handshake_offer(w->net->header(req, HB_STR("sec-websocket-protocol")));
    const hb_header headers[] = {
        {HB_STR("upgrade"), HB_STR("websocket")},
        {HB_STR("sec-websocket-accept"), {accept, HANDSHAKE_ACCEPT_SIZE - 1}},
        {HB_STR("sec-websocket-protocol"), offer},
    };
    if (conn)
        carrier_adopt(conn, link);
    w->net->take_over(req, 101, headers, offer.p ? 3 : 2, &events, link);
    link->busy = false;
    release(link);
    return true;
}

/* ---- out ---- */

void link_frame(struct bytes *out, unsigned first, hb_str payload)
{
    char head[FRAME_HEAD_MAX];
    bytes_append(out, head, frame_head(head, FRAME_FIN | first, payload.n));
    bytes_str(out, payload);
}

void link_write(struct link *link, hb_str text)
{
    struct bytes frame = BYTES_INIT;
    link_frame(&frame, FRAME_OP_TEXT, text);
    if (link->state == LINK_OPEN && !frame.failed)
        link->worker->net->stream_write(link->stream, frame.p, frame.n);
    bytes_finish(&frame);
}
