/*
 * CONNECT: one namespace after the other. Its credential is looked at, then, where it comes back
 * with a pid, what it had is found (on whatever worker) and its rooms are joined from where it was.
 * When all of them are answered it is connected: as it was, and what it missed follows, or, if any of
 * it can't be had, afresh.
 *
 * The reference sends what was missed before its CONNECT. The stock client keeps such events until a
 * CONNECT comes, over connections that break meanwhile too, and would show them twice.
 */
#include "engine.h"
#include "jtext.h"
#include "ops.h"
#include "recover.h"
#include "space.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SPACES_MAX = 32, ROOMS_MAX = 1024 };

struct entering {
    struct entering *next;
    struct socket *socket;
    struct socket *found;    /* what it had; NULL: nothing, or not yet */
    uint32_t number;         /* of the question after it; 0: none is out */
    bool started;            /* its rooms are being joined */
    bool lost;               /* something can't be had again */
    bool later;              /* something can't be had now */
    size_t n_payload;
    char payload[];          /* the packet's object; "{}" when there was none */
};

static hb_str payload_of(const struct entering *e)
{
    return (hb_str){e->payload, e->n_payload};
}

static void ask_credential(struct conn *c);

/* The first in the queue is dealt with; go on with the next. */
static void next(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    c->sockets.entering = e->next;
    free(e);
    if (c->sockets.entering)
        ask_credential(c);
}

/* What it had can't be had again. */
static void drop_found(struct conn *c, struct entering *e)
{
    if (!e->found)
        return;
    recover_leave(c->worker, e->found->pid);
    socket_free(e->found);
    e->found = NULL;
}

struct socket *enter_steal(struct conn *c, const char *pid)
{
    struct entering *e = c->sockets.entering;
    while (e && !(e->found && strcmp(e->found->pid, pid) == 0))
        e = e->next;
    struct socket *found = e ? e->found : NULL;
    if (!found)
        return NULL;
    e->found = NULL;
    engine_hang_up(c, CLOSE_NONE, HB_END_CLIENT);
    return found;
}

void enter_abandon(struct conn *c)
{
    for (struct entering *e = c->sockets.entering, *after; e; e = after) {
        after = e->next;
        if (e->found)
            recover_store(c->worker, e->found);
        free(e);
    }
    c->sockets.entering = NULL;
}

/* ---- answers ---- */

static void send_error(struct conn *c, hb_str space, hb_str message, const hb_event *why)
{
    struct bytes json = BYTES_INIT;
    BYTES_LIT(&json, "{\"message\":");
    bytes_json_str(&json, message);
    if (why) {
        BYTES_LIT(&json, ",\"data\":");
        ops_put_error(&json, why);
    }
    bytes_char(&json, '}');
    if (!json.failed)
        socket_send_json(c, PACKET_CONNECT_ERROR, space, NULL, bytes_view(&json));
    bytes_finish(&json);
}

static void refuse(struct conn *c, hb_str message, const hb_event *why)
{
    struct socket *s = c->sockets.entering->socket;
    send_error(c, socket_space(s), message, why);
    socket_remove(c, s);
    next(c);
}

static void send_connected(struct conn *c, const struct socket *s)
{
    struct bytes json = BYTES_INIT;
    BYTES_LIT(&json, "{\"sid\":");
    bytes_json_str(&json, str_of(s->sid));
    if (s->pid[0]) {
        BYTES_LIT(&json, ",\"pid\":");
        bytes_json_str(&json, str_of(s->pid));
    }
    bytes_char(&json, '}');
    if (!json.failed)
        socket_send_json(c, PACKET_CONNECT, socket_space(s), NULL, bytes_view(&json));
    bytes_finish(&json);
}

/* The session's public id; for further sockets of it something behind. */
static void name_socket(struct conn *c, struct socket *s)
{
    hb_session_info info = {.size = sizeof(info)};
    struct bytes sid = BYTES_INIT;
    c->worker->ctx->host->session_info(c->session, &info);
    bytes_str(&sid, info.id);
    if (c->sockets.numbers++ > 0) {
        bytes_char(&sid, '-');
        bytes_u64(&sid, c->sockets.numbers);
    }
    size_t n = sid.n < SOCKET_SID ? sid.n : SOCKET_SID;
    memcpy(s->sid, sid.p ? sid.p : "", n);
    s->sid[n] = '\0';
    bytes_finish(&sid);
}

static void join_everybody(struct conn *c, struct socket *s);

static void connect_socket(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct socket *s = e->socket;
    s->state = SOCKET_CONNECTED;
    engine_entered(c);
    send_connected(c, s);
    join_everybody(c, s);
    entered_note(c, s, payload_of(e));
    next(c);
}

/* Of the offset that the client brought: not 0. */
static uint64_t hash_of_offset(hb_str offset)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < offset.n; i++)
        hash = (hash ^ (unsigned char)offset.p[i]) * 0x100000001b3u;
    return hash ? hash : 1;
}

/* Absent: it brought none. */
static hb_str offset_of(const struct entering *e, struct bytes *text)
{
    hb_str value = jtext_get(payload_of(e), HB_STR("offset"));
    return value.p && jtext_string(value, text) && !text->failed ? bytes_view(text) : (hb_str){NULL, 0};
}

/* The client keeps the offset of its former life until an event brings another. */
static void connect_afresh(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct bytes text = BYTES_INIT;
    hb_str offset = offset_of(e, &text);
    drop_found(c, e);
    name_socket(c, e->socket);
    if (c->worker->options->recovery > 0)
        recover_name(c->worker, e->socket->pid);
    if (offset.p)
        e->socket->stale = hash_of_offset(offset);
    bytes_finish(&text);
    if (e->socket->pid[0])
        recover_enter(c->worker, e->socket->pid, c->sid);
    connect_socket(c);
}

/* ---- what it had ---- */

static hb_str everybody(const struct socket *s, char room[SPACE_MAX + 1])
{
    memcpy(room, s->space + 1, s->n_space - 1u);
    room[s->n_space - 1u] = ':';
    return (hb_str){room, s->n_space};
}

static bool is_everybody(const struct socket *s, hb_str room)
{
    char name[SPACE_MAX + 1];
    return s->n_space > 1 && str_same(room, everybody(s, name));
}

/* Of a namespace other than the main one: the room that all in it are in. */
static void join_everybody(struct conn *c, struct socket *s)
{
    char room[SPACE_MAX + 1];
    if (s->n_space > 1 && !place_find(&s->places, everybody(s, room)))
        c->worker->ctx->host->session_join(c->worker->ctx, c->sid, everybody(s, room));
}

/* Places as they were: where it joined first says more than where it was joined just now. */
static void take_up(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct socket *s = e->socket, *found = e->found;
    memcpy(s->pid, found->pid, sizeof(s->pid));
    memcpy(s->sid, found->sid, sizeof(s->sid));
    s->stale = found->stale;
    while (found->places) {
        struct place *p = found->places, **now = place_find(&s->places, place_room(p));
        found->places = p->next;
        if (now)
            place_remove(now);
        p->next = s->places;
        s->places = p;
    }
    e->found = NULL;
    socket_free(found);
    connect_socket(c);
}

static void note_outcome(struct entering *e, const hb_event *ev)
{
    if (ev->code == HB_UNAVAILABLE || ev->code == HB_RATE_LIMITED || ev->code == HB_INTERNAL)
        e->later = true;
    else
        e->lost |= ev->code != HB_OK || ev->recovered != 1;
}

static bool has_place(struct place *list, hb_str room)
{
    struct place **at = place_find(&list, room);
    return at && (*at)->n_cursor > 0;
}

void enter_joined(struct conn *c, const hb_event *ev)
{
    struct entering *e = c->sockets.entering;
    const struct socket *found = e && e->started ? e->found : NULL;
    if (found && (has_place(found->places, ev->room) || has_place(found->rest->own, ev->room)))
        note_outcome(e, ev);
}

enum { GRANTED, NAMED };

/* The rooms to be joined again: granted ones first. */
static size_t rooms_of(const struct socket *found, hb_str *rooms, size_t *n_granted)
{
    size_t n = 0;
    for (int kind = GRANTED; kind <= NAMED; kind++) {
        for (const struct place *p = found->places; p && n < ROOMS_MAX; p = p->next)
            if (p->n_cursor > 0 && p->granted == (kind == GRANTED))
                rooms[n++] = place_room(p);
        if (kind == GRANTED)
            *n_granted = n;
    }
    return n;
}

/* Nothing of these rooms was told yet. */
static void leave_found(struct conn *c, struct entering *e)
{
    size_t n_granted, n = 0;
    hb_str *rooms = calloc(ROOMS_MAX, sizeof(*rooms));
    if (rooms)
        n = rooms_of(e->found, rooms, &n_granted);
    c->worker->net->leave(c->session, rooms, n);
    for (size_t i = 0; i < n; i++) {
        struct place **at = place_find(&e->socket->places, rooms[i]);
        if (at)
            place_remove(at);
    }
    free(rooms);
}

static void on_started(const hb_ctx *ctx, void *conn, hb_code code, hb_str message)
{
    struct conn *c = conn;
    struct entering *e = c->sockets.entering;
    (void)ctx;
    (void)message;
    if (!e)
        return;
    engine_hold(c);
    if (code == HB_BAD_REQUEST) { /* what was a room is none any more: nothing was begun */
        drop_found(c, e);
        engine_fault(c);
    } else if (e->found && e->later) { /* its client comes back, and it is kept until then */
        engine_hang_up(c, CLOSE_NONE, HB_END_ERROR);
    } else if (e->found && !e->lost) {
        take_up(c);
    } else {
        if (e->found)
            leave_found(c, e);
        connect_afresh(c);
    }
    engine_release(c);
}

/* Where each room goes on: by the client's offset, or where it was joined, whatever is later. False:
 * the offset is none of ours, so that nobody knows what the client has. */
static bool put_since(struct conn *c, const struct entering *e, hb_out *out)
{
    struct bytes text = BYTES_INIT;
    const struct socket *found = e->found;
    hb_str offset = offset_of(e, &text);
    hb_str *list = calloc(ROOMS_MAX + 2, sizeof(*list));
    size_t n = 0;
    if (list && offset.p && hash_of_offset(offset) != found->stale)
        list[n++] = offset;
    if (list && found->rest->own && found->rest->own->n_cursor > 0)
        list[n++] = place_cursor(found->rest->own);
    for (const struct place *p = found->places; list && p && n < ROOMS_MAX + 2; p = p->next)
        if (p->n_cursor > 0)
            list[n++] = place_cursor(p);
    bool ok = list && c->worker->net->cursor_latest(list, n, out) == n && !c->worker->net->out_failed(out);
    free(list);
    bytes_finish(&text);
    return ok;
}

/* Without one nothing can be told of what it missed there. What a namespace as a whole is told is
 * for those who are there, unless its room has a history. */
static bool have_cursors(const struct socket *found)
{
    size_t n = 0;
    for (const struct place *p = found->places; p; p = p->next, n++)
        if (n >= ROOMS_MAX || (p->n_cursor == 0 && !is_everybody(found, place_room(p))))
            return false;
    return true;
}

/* The user's own room, where this namespace is the one to join it: the main one. Absent: it is not. */
static hb_str own_room(struct conn *c, struct bytes *text)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    if (!info.user.p || c->sockets.own_joined || c->sockets.entering->socket->n_space > 1)
        return (hb_str){NULL, 0};
    bytes_char(text, '@');
    bytes_str(text, info.user);
    return text->failed ? (hb_str){NULL, 0} : bytes_view(text);
}

static void start_afresh(struct conn *c)
{
    struct bytes text = BYTES_INIT;
    hb_str own = own_room(c, &text);
    drop_found(c, c->sockets.entering);
    c->sockets.own_joined |= own.p != NULL;
    if (c->sockets.started && !own.p) {
        connect_afresh(c);
    } else {
        c->sockets.started = true;
        c->worker->net->resume(c->session, &own, own.p != NULL, own.p != NULL, (hb_str){NULL, 0}, on_started);
    }
    bytes_finish(&text);
}

static void resume(struct conn *c)
{
    const hb_net *net = c->worker->net;
    struct entering *e = c->sockets.entering;
    struct bytes text = BYTES_INIT;
    hb_str *rooms = calloc(ROOMS_MAX + 1, sizeof(*rooms)), own = own_room(c, &text);
    hb_out *since = net->out_create();
    if (rooms && put_since(c, e, since)) {
        size_t n_granted, n = rooms_of(e->found, rooms + 1, &n_granted);
        hb_str cursor = net->out_size(since) > 0 ? net->out_view(since) : (hb_str){NULL, 0};
        bool with_own = own.p != NULL;
        rooms[0] = own;
        c->sockets.own_joined |= with_own;
        c->sockets.started = e->started = true;
        net->resume(c->session, rooms + !with_own, n + with_own, n_granted + with_own, cursor, on_started);
    } else {
        start_afresh(c);
    }
    bytes_finish(&text);
    net->out_destroy(since);
    free(rooms);
}

static bool fits(struct conn *c, const struct socket *found, const struct socket *s)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    return str_same(socket_space(found), socket_space(s)) && str_same(found->rest->user, info.user) &&
        !found->rest->user.p == !info.user.p;
}

/* It was joined on this connection already, from now on, not from where this socket was. */
static bool own_is_missed(const struct conn *c, const struct socket *found)
{
    return found->n_space == 1 && found->rest->own && found->rest->own->n_cursor > 0 && c->sockets.own_joined;
}

static void begin(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    if (e->found && !fits(c, e->found, e->socket)) {
        recover_store(c->worker, e->found); /* whoever it belongs to may still want it */
        e->found = NULL;
    }
    if (e->found && have_cursors(e->found) && !own_is_missed(c, e->found))
        resume(c);
    else
        start_afresh(c);
}

bool enter_found(const hb_ctx *ctx, hb_sid sid, uint32_t number, struct socket *found, bool later)
{
    struct conn *c = engine_find(ctx, sid);
    struct entering *e = c ? c->sockets.entering : NULL;
    if (!e || e->number != number)
        return false;
    e->number = 0;
    e->found = found;
    engine_hold(c);
    if (later)
        engine_hang_up(c, CLOSE_NONE, HB_END_ERROR); /* its client comes back */
    else
        begin(c);
    engine_release(c);
    return true;
}

static hb_str pid_of(const struct entering *e, struct bytes *text)
{
    hb_str value = jtext_get(payload_of(e), HB_STR("pid"));
    return value.p && jtext_string(value, text) && !text->failed ? bytes_view(text) : (hb_str){NULL, 0};
}

static void find(struct conn *c)
{
    static _Thread_local uint32_t last_number;
    struct entering *e = c->sockets.entering;
    struct bytes text = BYTES_INIT;
    hb_str pid = pid_of(e, &text);
    if (c->worker->options->recovery > 0 && pid.p) {
        e->number = ++last_number ? last_number : ++last_number;
        if (!recover_ask(c->worker, pid, c->sid, e->number))
            e->number = 0;
    }
    bytes_finish(&text);
    if (!e->number)
        begin(c);
}

/* ---- its credential ---- */

static bool has_user(struct conn *c)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    return info.user.p != NULL;
}

static void ask_credential(struct conn *c)
{
    struct bytes token = BYTES_INIT;
    hb_str value = jtext_get(payload_of(c->sockets.entering), str_of(c->worker->options->token));
    bool given = value.p && jtext_string(value, &token) && token.n > 0;
    if (given) {
        hb_op op = {.type = has_user(c) ? HB_OP_REFRESH : HB_OP_AUTH, .token = bytes_view(&token)};
        socket_auth_op(c, &op);
    } else if (c->sockets.waits_for_token) {
        refuse(c, HB_STR("Authentication required"), NULL);
    } else {
        find(c);
    }
    bytes_finish(&token);
}

/* Who was here before and is told so does not try again by himself; who loses the connection does. */
static void put_off(struct conn *c, const hb_event *ev)
{
    struct bytes text = BYTES_INIT;
    bool was_here = pid_of(c->sockets.entering, &text).p != NULL;
    bytes_finish(&text);
    if (was_here)
        engine_hang_up(c, CLOSE_NONE, HB_END_ERROR);
    else
        refuse(c, ev->text.p ? ev->text : HB_STR("Try again later"), ev);
}

void enter_replied(struct conn *c, const hb_event *ev)
{
    if (!c->sockets.entering)
        return;
    if (ev->code == HB_OK) {
        c->sockets.waits_for_token = false;
        find(c);
    } else if (ev->code == HB_RATE_LIMITED || ev->code == HB_UNAVAILABLE) {
        put_off(c, ev);
    } else {
        refuse(c, HB_STR("Invalid token"), ev);
    }
}

/* ---- the packet ---- */

static struct entering *create_entering(struct socket *s, hb_str payload)
{
    struct entering *e = calloc(1, sizeof(*e) + payload.n);
    if (!e)
        return NULL;
    e->socket = s;
    e->n_payload = payload.n;
    memcpy(e->payload, payload.p, payload.n);
    return e;
}

void enter_begin(struct conn *c, const struct packet *p)
{
    struct socket *s = socket_find(c, p->space);
    if (s && s->state == SOCKET_GONE) {
        socket_remove(c, s);
        s = NULL;
    }
    if (s || c->sockets.n_sockets >= SPACES_MAX || p->refused) {
        engine_fault(c);
        return;
    }
    if (!space_exists(c->worker->options, p->space)) {
        send_error(c, p->space, HB_STR("Invalid namespace"), NULL);
        return;
    }
    s = socket_create(p->space);
    struct entering *e = s ? create_entering(s, p->data.p ? p->data : HB_STR("{}")) : NULL;
    if (!e) {
        free(s);
        engine_fault(c);
        return;
    }
    s->next = c->sockets.list;
    c->sockets.list = s;
    c->sockets.n_sockets++;
    struct entering **last = &c->sockets.entering;
    while (*last)
        last = &(*last)->next;
    *last = e;
    if (c->sockets.entering == e)
        ask_credential(c);
}
