#include "engine.h"
#include "binary.h"
#include "jtext.h"
#include "ops.h"
#include "recover.h"
#include "space.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A packet with attachments, on its way. */
struct partial {
    struct bytes text, parts; /* parts: base64, one behind the other */
    unsigned n, want;
    size_t end[PACKET_ATTACHMENTS_MAX];
};

/* ---- rooms ---- */

hb_str place_room(const struct place *p)
{
    return (hb_str){p->text + p->n_cursor, p->n_room};
}

hb_str place_cursor(const struct place *p)
{
    return (hb_str){p->text, p->n_cursor};
}

bool place_add(struct place **list, hb_str room, hb_str cursor, bool granted)
{
    struct place *p = malloc(offsetof(struct place, text) + room.n + cursor.n);
    if (!p)
        return false;
    p->next = *list;
    p->n_cursor = (uint16_t)cursor.n;
    p->n_room = (uint16_t)room.n;
    p->granted = granted;
    if (cursor.n > 0)
        memcpy(p->text, cursor.p, cursor.n);
    if (room.n > 0)
        memcpy(p->text + cursor.n, room.p, room.n);
    *list = p;
    return true;
}

void place_note(struct conn *c, struct place **list, hb_str room, hb_str cursor, bool granted)
{
    place_add(list, room, c->worker->options->recovery > 0 ? cursor : (hb_str){NULL, 0}, granted);
}

struct place **place_find(struct place **list, hb_str room)
{
    while (*list && !str_same(place_room(*list), room))
        list = &(*list)->next;
    return *list ? list : NULL;
}

void place_remove(struct place **at)
{
    struct place *place = *at;
    *at = place->next;
    free(place);
}

void places_free(struct place *list)
{
    for (struct place *next; list; list = next) {
        next = list->next;
        free(list);
    }
}

/* ---- sockets ---- */

hb_str socket_space(const struct socket *s)
{
    return (hb_str){s->space, s->n_space};
}

struct socket *socket_find(struct conn *c, hb_str space)
{
    for (struct socket *s = c->sockets.list; s; s = s->next)
        if (str_same(socket_space(s), space))
            return s;
    return NULL;
}

struct socket *socket_create(hb_str space)
{
    struct socket *s = calloc(1, offsetof(struct socket, space) + space.n); /* at least "/" */
    if (!s)
        return NULL;
    s->n_space = (uint8_t)space.n;
    memcpy(s->space, space.p, space.n);
    return s;
}

void socket_free(struct socket *s)
{
    if (!s)
        return;
    if (s->rest)
        places_free(s->rest->own);
    free(s->rest);
    places_free(s->places);
    free(s);
}

static void unlink_socket(struct conn *c, struct socket *s)
{
    struct socket **at = &c->sockets.list;
    while (*at && *at != s)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = s->next;
    s->next = NULL;
    c->sockets.n_sockets--;
    ops_forget(c, s);
}

void socket_remove(struct conn *c, struct socket *s)
{
    unlink_socket(c, s);
    socket_free(s);
}

bool sockets_full(const struct conn *c)
{
    return c->sockets.n_pending >= OPS_UNDER_WAY;
}

bool socket_keep(struct socket *s, hb_str user, hb_str own)
{
    struct rest *rest = malloc(sizeof(*rest) + 1 + user.n);
    if (!rest)
        return false;
    *rest = (struct rest){.user = {NULL, user.n}};
    rest->text[0] = '@';
    if (user.p)
        rest->user.p = memcpy(rest->text + 1, user.p, user.n);
    if (own.p && !place_add(&rest->own, (hb_str){rest->text, 1 + user.n}, own, true)) {
        free(rest);
        return false;
    }
    s->rest = rest;
    return true;
}

static bool keep(struct conn *c, struct socket *s)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    return socket_keep(s, info.user, c->sockets.own ? place_cursor(c->sockets.own) : (hb_str){NULL, 0});
}

struct socket *socket_steal(const hb_ctx *ctx, hb_sid sid, const char *pid)
{
    struct conn *c = engine_find(ctx, sid);
    struct socket *s = c ? c->sockets.list : NULL;
    while (s && strcmp(s->pid, pid) != 0)
        s = s->next;
    if (c && !s)
        return enter_steal(c, pid);
    if (!s || s->state != SOCKET_CONNECTED || !keep(c, s))
        return NULL;
    unlink_socket(c, s);
    engine_hang_up(c, CLOSE_NONE, HB_END_CLIENT);
    return s;
}

void sockets_ended(struct conn *c)
{
    struct sockets *all = &c->sockets;
    for (struct socket *s = all->list, *next; s; s = next) {
        next = s->next;
        bool wanted = s->pid[0] && s->state == SOCKET_CONNECTED;
        s->next = NULL;
        if (wanted && !all->forget && c->session && keep(c, s)) {
            recover_store(c->worker, s);
            continue;
        }
        if (wanted)
            recover_leave(c->worker, s->pid);
        socket_free(s);
    }
    all->list = NULL;
    all->n_sockets = 0;
    enter_abandon(c);
}

static void drop_partial(struct conn *c)
{
    struct partial *p = c->sockets.partial;
    c->sockets.partial = NULL;
    if (!p)
        return;
    bytes_finish(&p->text);
    bytes_finish(&p->parts);
    free(p);
}

void sockets_finish(struct conn *c)
{
    drop_partial(c);
    entered_forget(c);
    ops_finish(c);
    places_free(c->sockets.own);
    c->sockets.own = NULL;
}

/* ---- packets ---- */

void socket_leave_rooms(struct conn *c, struct socket *s)
{
    for (const struct place *p = s->places; p; p = p->next)
        ops_leave(c, place_room(p));
    places_free(s->places);
    s->places = NULL;
}

static void on_disconnect(struct conn *c, struct socket *s)
{
    socket_leave_rooms(c, s);
    if (s->pid[0])
        recover_leave(c->worker, s->pid);
    socket_remove(c, s);
}

/* The server's DISCONNECT may have crossed this packet. */
static bool is_in_flight(const struct conn *c, const struct socket *s)
{
    return s->state == SOCKET_GONE && c->worker->ctx->host->now_ms() < s->gone_until;
}

static void dispatch(struct conn *c, const struct packet *p)
{
    entered_tell(c);
    if (c->closing || c->over)
        return;
    if (p->type == PACKET_CONNECT) {
        enter_begin(c, p);
        return;
    }
    struct socket *s = socket_find(c, p->space);
    if (s && is_in_flight(c, s))
        return;
    if (!s || s->state != SOCKET_CONNECTED)
        engine_fault(c);
    else if (p->type == PACKET_DISCONNECT)
        on_disconnect(c, s);
    else if (p->type == PACKET_EVENT || p->type == PACKET_BINARY_EVENT)
        ops_event(c, s, p);
    else
        ops_answer(c, s, p);
}

static void begin_partial(struct conn *c, hb_str text, const struct packet *p)
{
    struct partial *partial = calloc(1, sizeof(*partial));
    if (partial)
        bytes_str(&partial->text, text);
    if (!partial || partial->text.failed) {
        free(partial);
        engine_fault(c);
        return;
    }
    partial->want = p->attachments;
    c->sockets.partial = partial;
}

/* Text that was cut in the middle of a character, as JavaScript may: hubbub's protocol has no such
 * strings, so it goes on as the browsers' own encoders would write it. */
static void mend(hb_str text, const struct packet *p, struct bytes *out)
{
    bytes_append(out, text.p, (size_t)(p->data.p - text.p));
    jtext_mend(p->data, out);
}

void socket_text(struct conn *c, hb_str text)
{
    struct bytes mended = BYTES_INIT;
    struct packet p;
    bool ok = !c->sockets.partial && packet_parse(text, &p);
    if (ok && p.halves) {
        mend(text, &p, &mended);
        text = bytes_view(&mended);
        ok = !mended.failed && packet_parse(text, &p);
    }
    if (!ok)
        engine_fault(c);
    else if (p.attachments > 0)
        begin_partial(c, text, &p);
    else
        dispatch(c, &p);
    bytes_finish(&mended);
}

/* The whole packet is here: placeholders become bytes. */
static void finish_partial(struct conn *c)
{
    struct partial *partial = c->sockets.partial;
    hb_str parts[PACKET_ATTACHMENTS_MAX];
    struct bytes json = BYTES_INIT;
    struct packet p;
    size_t at = 0;
    for (unsigned i = 0; i < partial->n; at = partial->end[i++])
        parts[i] = (hb_str){partial->parts.p + at, partial->end[i] - at};
    c->sockets.partial = NULL;
    packet_parse(bytes_view(&partial->text), &p);
    if (!binary_join(p.data, parts, partial->n, &json) || json.failed) {
        engine_fault(c);
    } else {
        p.data = bytes_view(&json);
        if (p.name.p) {
            struct jtext_iter it = jtext_iter(p.data);
            jtext_item(&it, &p.name);
        }
        dispatch(c, &p);
    }
    bytes_finish(&json);
    bytes_finish(&partial->text);
    bytes_finish(&partial->parts);
    free(partial);
}

void socket_binary(struct conn *c, hb_str raw)
{
    struct partial *partial = c->sockets.partial;
    size_t most = (size_t)c->worker->options->max_payload / 3 * 4 + 64;
    if (!partial || partial->parts.n + raw.n / 3 * 4 > most) {
        engine_fault(c);
        return;
    }
    bytes_base64(&partial->parts, raw);
    partial->end[partial->n++] = partial->parts.n;
    if (partial->parts.failed)
        engine_fault(c);
    else if (partial->n == partial->want)
        finish_partial(c);
}

void socket_send_json(
    struct conn *c, enum packet_type type, hb_str space, const uint64_t *id, hb_str json)
{
    struct bytes text = BYTES_INIT, split = BYTES_INIT, raw = BYTES_INIT;
    struct binary_parts parts;
    binary_split(json, &split, &parts);
    if (parts.n > 0)
        type = type == PACKET_EVENT ? PACKET_BINARY_EVENT : PACKET_BINARY_ACK;
    packet_head(&text, type, (unsigned)parts.n, space, id);
    bytes_str(&text, parts.n > 0 ? bytes_view(&split) : json);
    if (!text.failed)
        engine_send(c, bytes_view(&text));
    for (size_t i = 0; i < parts.n && !text.failed; i++) {
        bytes_clear(&raw);
        binary_bytes(parts.base64[i], &raw);
        engine_send_bytes(c, bytes_view(&raw));
    }
    bytes_finish(&text);
    bytes_finish(&split);
    bytes_finish(&raw);
}
