#include "wire.h"
#include "binary.h"
#include "engine.h"
#include "space.h"
#include <string.h>

/* The event's arguments as JSON, from the bracket and the name on, without the closing bracket.
 * False: this event is not told. */
static bool put_event(const struct worker *w, const hb_event *ev, const struct space_room *whose, struct bytes *json)
{
    const struct options *o = w->options;
    hb_str member = str_of(ev->event.n == 4 ? o->joined : o->left); /* "join", "leave" */
    bool is_member = ev->kind == HB_EV_MEMBER;
    if (is_member && member.n == 0)
        return false;
    bytes_char(json, '[');
    bytes_json_str(json, is_member ? member : ev->event);
    bytes_char(json, ',');
    hb_str data = ev->data.p ? ev->data : HB_STR("null");
    if (is_member)
        shape_member(&w->names, ev->user, whose->room, json);
    else if (ev->room.p && whose->room.n > 0)
        shape_message(&w->names, ev->user, ev->ts, whose->room, data, json);
    else if (!shape_arguments(data, json) && !json->failed)
        json->n--; /* no argument, no comma */
    return true;
}

static void put_attachments(const struct worker *w, unsigned form, const struct binary_parts *parts, hb_out *out)
{
    struct bytes base64 = BYTES_INIT, raw = BYTES_INIT, frame = BYTES_INIT;
    for (size_t i = 0; i < parts->n; i++) {
        bytes_clear(&base64);
        bytes_clear(&raw);
        bytes_clear(&frame);
        binary_base64(parts->base64[i], &base64);
        if (form & FORM_WEBSOCKET) {
            bytes_unbase64(&raw, bytes_view(&base64));
            link_frame(&frame, FRAME_OP_BINARY, bytes_view(&raw));
        } else {
            BYTES_LIT(&frame, PAYLOAD_SEPARATOR "b");
            bytes_str(&frame, bytes_view(&base64));
        }
        w->net->out(out, frame.p, frame.n);
    }
    bytes_finish(&base64);
    bytes_finish(&raw);
    bytes_finish(&frame);
}

static void put_packet(const struct worker *w, unsigned form, hb_str packet, hb_out *out)
{
    char head[FRAME_HEAD_MAX];
    bool offsets = form & FORM_OFFSETS;
    if (form & FORM_WEBSOCKET)
        w->net->out(out, head, frame_head(head, FRAME_OP_TEXT | (offsets ? 0 : FRAME_FIN), packet.n));
    w->net->out(out, packet.p, packet.n);
    if (offsets)
        w->net->out_slot(out, 0);
}

void wire_encode(const hb_ctx *ctx, unsigned form, const hb_event *ev, hb_out *out)
{
    struct worker *w = ctx->local;
    struct bytes *json = &w->parts, *packet = &w->text, split = BYTES_INIT;
    struct binary_parts parts;
    struct space_room whose = {.space = space_of_host(ev->space)};
    if (ev->kind != HB_EV_MESSAGE && ev->kind != HB_EV_MEMBER)
        return;
    if (ev->room.p)
        space_of(w->options, ev->room, &whose);
    bytes_clear(json);
    bytes_clear(packet);
    if (!put_event(w, ev, &whose, json))
        return;
    binary_split(bytes_view(json), &split, &parts);
    bytes_char(packet, '0' + ENGINE_MESSAGE);
    packet_head(packet, parts.n > 0 ? PACKET_BINARY_EVENT : PACKET_EVENT, (unsigned)parts.n, whose.space, NULL);
    bytes_str(packet, parts.n > 0 ? bytes_view(&split) : bytes_view(json));
    if (!(form & FORM_OFFSETS))
        bytes_char(packet, ']');
    if (!packet->failed && !json->failed) {
        put_packet(w, form, bytes_view(packet), out);
        put_attachments(w, form, &parts, out);
    }
    bytes_finish(&split);
    worker_trim(json);
    worker_trim(packet);
}

void wire_fill(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out)
{
    struct conn *c = conn;
    const hb_net *net = c->worker->net;
    char text[FRAME_HEAD_MAX + 16];
    size_t start = net->out_size(out), n = 0;
    (void)ctx;
    (void)slot;
    uint32_t number = ++c->sockets.events;
    char reversed[10];
    do
        reversed[n++] = (char)('0' + number % 10);
    while (number /= 10);
    text[0] = ',';
    text[1] = '"';
    for (size_t i = 0; i < n; i++)
        text[2 + i] = reversed[n - 1 - i];
    text[2 + n] = '.';
    net->out(out, text, n + 3);
    net->cursor(c->session, out);
    net->out(out, "\"]", 2);
    if (!(c->form & FORM_WEBSOCKET))
        return;
    n = frame_head(text, FRAME_FIN | FRAME_OP_CONTINUATION, net->out_size(out) - start);
    net->out_insert(out, start, text, n);
}
