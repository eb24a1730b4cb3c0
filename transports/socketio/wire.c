#include "wire.h"
#include "binary.h"
#include "engine.h"
#include "space.h"
#include <string.h>

hb_str wire_name(hb_str event)
{
    return packet_is_reserved(event) ? HB_STR("message") : event;
}

/* The event's arguments as JSON, from the bracket and the name on, without the closing bracket.
 * False: this event is not told. */
static bool put_event(
    const struct worker *w, const hb_event *ev, const struct space_room *whose, struct bytes *json)
{
    const struct options *o = w->options;
    hb_str member = str_of(ev->event.n == 4 ? o->joined : o->left); /* "join", "leave" */
    bool is_member = ev->kind == HB_EV_MEMBER;
    if (is_member && (member.n == 0 || whose->room.n == 0)) /* the room of all in a namespace */
        return false;
    bytes_char(json, '[');
    bytes_json_str(json, is_member ? member : wire_name(ev->event));
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

static void put_attachments(
    const struct worker *w, unsigned form, const struct binary_parts *parts, hb_out *out)
{
    struct bytes raw = BYTES_INIT, frame = BYTES_INIT;
    for (size_t i = 0; i < parts->n; i++) {
        bytes_clear(&raw);
        bytes_clear(&frame);
        binary_bytes(parts->base64[i], &raw);
        if (form & FORM_WEBSOCKET) {
            link_frame(&frame, FRAME_OP_BINARY, bytes_view(&raw));
        } else {
            BYTES_LIT(&frame, PAYLOAD_SEPARATOR "b");
            bytes_base64(&frame, bytes_view(&raw));
        }
        w->net->out(out, frame.p, frame.n);
    }
    bytes_finish(&raw);
    bytes_finish(&frame);
}

/* An event whose last argument is an object leaves the client's offset as it is. */
static bool needs_offset(unsigned form, const hb_event *ev)
{
    return (form & FORM_KIND) != FORM_PLAIN && ev->kind != HB_EV_MEMBER;
}

/* Shared by all: the message's cursor. */
static void put_offset(hb_str cursor, struct bytes *packet)
{
    BYTES_LIT(packet, ",\"");
    bytes_str(packet, cursor);
    bytes_char(packet, '"');
}

static void put_packet(const struct worker *w, unsigned form, hb_str packet, bool slot, hb_out *out)
{
    char head[FRAME_HEAD_MAX];
    if (form & FORM_WEBSOCKET)
        w->net->out(out, head, frame_head(head, FRAME_OP_TEXT | (slot ? 0 : FRAME_FIN), packet.n));
    w->net->out(out, packet.p, packet.n);
    if (slot)
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
    packet_head(packet, parts.n > 0 ? PACKET_BINARY_EVENT : PACKET_EVENT, (unsigned)parts.n,
        whose.space, NULL);
    bytes_str(packet, parts.n > 0 ? bytes_view(&split) : bytes_view(json));
    bool offset = needs_offset(form, ev);
    bool slot = offset && ((form & FORM_KIND) == FORM_SLOT || !ev->cursor.p);
    if (offset && !slot)
        put_offset(ev->cursor, packet);
    if (!slot)
        bytes_char(packet, ']');
    if (!packet->failed && !json->failed) {
        put_packet(w, form, bytes_view(packet), slot, out);
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
    char head[FRAME_HEAD_MAX];
    size_t start = net->out_size(out);
    (void)ctx;
    (void)slot;
    net->out(out, ",\"", 2);
    net->cursor(c->session, out);
    net->out(out, "\"]", 2);
    if (!(c->form & FORM_WEBSOCKET))
        return;
    size_t n = frame_head(head, FRAME_FIN | FRAME_OP_CONTINUATION, net->out_size(out) - start);
    net->out_insert(out, start, head, n);
}
