#include "ops.h"
#include "engine.h"
#include "jtext.h"
#include "space.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1024 }; /* acks that one client owes; older ones are given up */

enum purpose { FOR_AUTH, FOR_JOIN, FOR_LEAVE, FOR_PUBLISH, FOR_CALL, FOR_NOBODY };

/* An op under way. */
struct pending {
    struct pending *next;
    struct socket *socket; /* NULL: it left */
    enum purpose purpose;
    bool has_id;
    uint64_t id;
    size_t n_room;
    char room[];
};

/* An ack that the client owes. */
struct waiting {
    struct waiting *next;
    const struct socket *socket;
    uint64_t id, ask;
};

static const hb_str absent = {NULL, 0};

/* ---- ops ---- */

static void send_op(
    struct conn *c, struct socket *s, enum purpose purpose, const uint64_t *id, hb_op *op)
{
    struct pending *p = malloc(sizeof(*p) + op->room.n);
    if (!p) {
        engine_fault(c);
        return;
    }
    *p = (struct pending){c->sockets.pending, s, purpose, id != NULL, id ? *id : 0, op->room.n};
    if (op->room.n > 0)
        memcpy(p->room, op->room.p, op->room.n);
    c->sockets.pending = p;
    c->sockets.n_pending++;
    op->size = sizeof(*op);
    op->tag = (uint64_t)(uintptr_t)p;
    op->wants_reply = true;
    c->worker->net->op(c->session, op);
}

static struct pending *take_pending(struct conn *c, uint64_t tag)
{
    for (struct pending **at = &c->sockets.pending; *at; at = &(*at)->next) {
        struct pending *p = *at;
        if ((uint64_t)(uintptr_t)p != tag)
            continue;
        *at = p->next;
        c->sockets.n_pending--;
        return p;
    }
    return NULL;
}

void socket_auth_op(struct conn *c, hb_op *op)
{
    send_op(c, NULL, FOR_AUTH, NULL, op);
}

void ops_leave(struct conn *c, hb_str room)
{
    hb_op op = {.type = HB_OP_LEAVE, .room = room};
    send_op(c, NULL, FOR_NOBODY, NULL, &op);
}

void ops_forget(struct conn *c, const struct socket *s)
{
    for (struct pending *p = c->sockets.pending; p; p = p->next)
        if (p->socket == s)
            p->socket = NULL;
    for (struct waiting **at = &c->sockets.waiting; *at;) {
        struct waiting *w = *at;
        if (w->socket != s) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        c->sockets.n_waiting--;
        free(w);
    }
}

void ops_finish(struct conn *c)
{
    for (struct pending *p = c->sockets.pending, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    for (struct waiting *w = c->sockets.waiting, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    c->sockets.pending = NULL;
    c->sockets.waiting = NULL;
}

/* ---- acks ---- */

void ops_put_error(struct bytes *out, const hb_event *ev)
{
    bool known = ev->code > HB_OK && ev->code < HB_CODE_COUNT;
    const char *code = hb_code_names[known ? ev->code : HB_INTERNAL];
    BYTES_LIT(out, "{\"code\":");
    bytes_json_str(out, str_of(code));
    BYTES_LIT(out, ",\"message\":");
    bytes_json_str(out, ev->text.p ? ev->text : str_of(code));
    if (ev->retry_after_ms > 0) {
        BYTES_LIT(out, ",\"retry_after\":");
        bytes_u64(out, (uint64_t)ev->retry_after_ms);
    }
    if (ev->same_key)
        BYTES_LIT(out, ",\"retry\":\"same key\"");
    bytes_char(out, '}');
}

static void put_ok(struct bytes *out, const hb_event *ev)
{
    BYTES_LIT(out, "{\"ok\":true");
    if (ev->ts >= 0) {
        BYTES_LIT(out, ",\"ts\":");
        bytes_u64(out, (uint64_t)ev->ts);
    }
    if (ev->cursor.p) {
        BYTES_LIT(out, ",\"cursor\":");
        bytes_json_str(out, ev->cursor);
    }
    if (ev->members >= 0) {
        BYTES_LIT(out, ",\"members\":");
        bytes_u64(out, (uint64_t)ev->members);
    }
    bytes_char(out, '}');
}

static void put_answer(struct bytes *out, enum purpose purpose, const hb_event *ev)
{
    bytes_char(out, '[');
    if (ev->code != HB_OK) {
        BYTES_LIT(out, "{\"ok\":false,\"error\":");
        ops_put_error(out, ev);
        bytes_char(out, '}');
    } else if (purpose == FOR_CALL) {
        shape_arguments(ev->data.p ? ev->data : HB_STR("null"), out);
    } else {
        put_ok(out, ev);
    }
    bytes_char(out, ']');
}

static void acknowledge(
    struct conn *c, const struct socket *s, enum purpose purpose, uint64_t id, const hb_event *ev)
{
    struct bytes json = BYTES_INIT;
    put_answer(&json, purpose, ev);
    if (!json.failed)
        socket_send_json(c, PACKET_ACK, socket_space(s), &id, bytes_view(&json));
    bytes_finish(&json);
}

static void refuse(struct conn *c, const struct socket *s, const struct packet *p, const char *why)
{
    hb_event ev = {
        .size = sizeof(ev), .code = HB_BAD_REQUEST, .text = str_of(why), .retry_after_ms = -1};
    if (p->has_id)
        acknowledge(c, s, FOR_NOBODY, p->id, &ev);
}

static void note_room(struct conn *c, struct pending *p, const hb_event *ev)
{
    hb_str room = {p->room, p->n_room};
    struct place **at = place_find(&p->socket->places, room);
    if (p->purpose == FOR_JOIN && !at)
        place_note(c, &p->socket->places, room, ev->cursor, false);
    else if (p->purpose == FOR_LEAVE && at)
        place_remove(at);
}

void ops_replied(struct conn *c, const hb_event *ev)
{
    struct pending *p = take_pending(c, ev->tag);
    if (!p)
        return;
    if (p->purpose == FOR_AUTH) {
        enter_replied(c, ev);
    } else if (p->socket) {
        if (ev->code == HB_OK)
            note_room(c, p, ev);
        if (p->has_id)
            acknowledge(c, p->socket, p->purpose, p->id, ev);
    } else if (p->purpose == FOR_JOIN && ev->code == HB_OK) { /* it left while it joined */
        ops_leave(c, (hb_str){p->room, p->n_room});
    }
    free(p);
    if (!sockets_full(c))
        engine_resume(c);
}

/* ---- events of the client ---- */

/* The string that is a value, or that a field of an object value is. */
static bool string_of(hb_str value, hb_str field, struct bytes *out)
{
    if (value.p && jtext_kind(value) == '{')
        value = jtext_get(value, field);
    return value.p && jtext_string(value, out) && !out->failed;
}

static hb_str first_argument(const struct packet *p)
{
    struct jtext_iter it = jtext_iter(p->data);
    hb_str name, first = absent;
    jtext_item(&it, &name);
    return jtext_item(&it, &first) ? first : absent;
}

static void room_op(struct conn *c, struct socket *s, const struct packet *p, hb_op_type type)
{
    const struct worker *w = c->worker;
    struct bytes room = BYTES_INIT, full = BYTES_INIT;
    if (!string_of(first_argument(p), w->names.room, &room)) {
        refuse(c, s, p, "a room is named by a string");
    } else if (!space_full(w->options, socket_space(s), bytes_view(&room), &full) || full.failed) {
        refuse(c, s, p, "this namespace can't have such a room");
    } else {
        hb_op op = {.type = type, .room = bytes_view(&full)};
        send_op(c, s, type == HB_OP_JOIN ? FOR_JOIN : FOR_LEAVE, p->has_id ? &p->id : NULL, &op);
    }
    bytes_finish(&room);
    bytes_finish(&full);
}

/* A key may be a number too: then its text is the key. */
static hb_str key_text(hb_str value, struct bytes *out)
{
    if (!value.p || jtext_kind(value) == 'n')
        return absent;
    if (!jtext_string(value, out))
        bytes_str(out, value);
    return bytes_view(out);
}

static void publish_op(struct conn *c, struct socket *s, const struct packet *p, hb_str event)
{
    const struct worker *w = c->worker;
    struct bytes data = BYTES_INIT, room = BYTES_INIT, full = BYTES_INIT, key = BYTES_INIT;
    struct shape_publish fields = {absent, absent};
    hb_str message = first_argument(p);
    if (message.p && jtext_kind(message) == '{')
        shape_publish(&w->names, message, &fields, &data);
    if (!fields.room.p || !jtext_string(fields.room, &room)) {
        refuse(c, s, p, "a message is an object that names its room by a string");
    } else if (!space_full(w->options, socket_space(s), bytes_view(&room), &full)) {
        refuse(c, s, p, "this namespace can't have such a room");
    } else {
        hb_op op = {.type = HB_OP_PUBLISH,
            .room = bytes_view(&full),
            .event = event,
            .data = bytes_view(&data),
            .key = key_text(fields.key, &key)};
        if (data.failed || room.failed || full.failed || key.failed)
            refuse(c, s, p, "out of memory");
        else
            send_op(c, s, FOR_PUBLISH, p->has_id ? &p->id : NULL, &op);
    }
    bytes_finish(&data);
    bytes_finish(&room);
    bytes_finish(&full);
    bytes_finish(&key);
}

static void call_op(struct conn *c, struct socket *s, const struct packet *p, hb_str event)
{
    struct bytes data = BYTES_INIT;
    shape_value(p->data, &data);
    hb_op op = {.type = HB_OP_CALL,
        .event = event,
        .data = bytes_view(&data),
        .space = space_for_host(socket_space(s))};
    if (data.failed)
        refuse(c, s, p, "out of memory");
    else
        send_op(c, s, FOR_CALL, p->has_id ? &p->id : NULL, &op);
    bytes_finish(&data);
}

static bool is_published(const struct options *o, hb_str event)
{
    for (size_t i = 0; i < o->publish.n; i++)
        if (str_same(o->publish.items[i], event))
            return true;
    return false;
}

void ops_event(struct conn *c, struct socket *s, const struct packet *p)
{
    const struct options *o = c->worker->options;
    struct bytes name = BYTES_INIT;
    if (p->refused) {
        refuse(c, s, p, "JSON nested too deep");
        return;
    }
    if (!jtext_string(p->name, &name))
        bytes_str(&name, p->name); /* a number */
    hb_str event = bytes_view(&name);
    if (name.failed)
        refuse(c, s, p, "out of memory");
    else if (event.n > 0 && str_same(event, str_of(o->join)))
        room_op(c, s, p, HB_OP_JOIN);
    else if (event.n > 0 && str_same(event, str_of(o->leave)))
        room_op(c, s, p, HB_OP_LEAVE);
    else if (is_published(o, event))
        publish_op(c, s, p, event);
    else
        call_op(c, s, p, event);
    bytes_finish(&name);
}

/* ---- events of the server that want an answer ---- */

bool ops_ask(struct conn *c, const hb_event *ev)
{
    struct socket *s = socket_find(c, space_of_host(ev->space));
    struct waiting *w = s && s->state == SOCKET_CONNECTED ? malloc(sizeof(*w)) : NULL;
    struct bytes json = BYTES_INIT;
    if (!w)
        return false;
    if (c->sockets.n_waiting >= WAITING_MAX) { /* the last one is the oldest */
        struct waiting **last = &c->sockets.waiting;
        while ((*last)->next)
            last = &(*last)->next;
        free(*last);
        *last = NULL;
        c->sockets.n_waiting--;
    }
    *w = (struct waiting){c->sockets.waiting, s, c->sockets.next_ack++, ev->ask};
    c->sockets.waiting = w;
    c->sockets.n_waiting++;
    bytes_char(&json, '[');
    bytes_json_str(&json, wire_name(ev->event));
    bytes_char(&json, ',');
    if (!shape_arguments(ev->data, &json) && !json.failed)
        json.n--; /* no argument, no comma */
    bytes_char(&json, ']');
    if (!json.failed)
        socket_send_json(c, PACKET_EVENT, socket_space(s), &w->id, bytes_view(&json));
    bytes_finish(&json);
    return true;
}

void ops_answer(struct conn *c, struct socket *s, const struct packet *p)
{
    struct bytes data = BYTES_INIT;
    struct waiting **at = &c->sockets.waiting;
    while (*at && ((*at)->socket != s || (*at)->id != p->id))
        at = &(*at)->next;
    struct waiting *w = *at;
    if (!w || !p->has_id || p->refused)
        return;
    *at = w->next;
    c->sockets.n_waiting--;
    shape_answer(p->data.p ? p->data : HB_STR("[]"), &data);
    if (!data.failed)
        c->worker->net->answer(c->session, w->ask, bytes_view(&data));
    bytes_finish(&data);
    free(w);
}
