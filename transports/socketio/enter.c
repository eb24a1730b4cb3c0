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
#include <stdlib.h>
#include <string.h>

enum { SPACES_MAX = 32, ROOMS_MAX = 1024 };

struct entering {
    struct entering *next;
    struct socket *socket;
    struct socket *found;    /* what it had; NULL: nothing, or not yet */
    uint32_t number;         /* of the question after it; 0: none is out */
    bool lost;               /* something can't be had again */
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
    socket_free(e->found);
    free(e);
    if (c->sockets.entering)
        ask_credential(c);
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

/* Of a namespace other than the main one: the room that all in it are in. */
static void join_everybody(struct conn *c, const struct socket *s)
{
    const hb_ctx *ctx = c->worker->ctx;
    struct bytes room = BYTES_INIT;
    if (s->n_space == 1)
        return;
    bytes_append(&room, s->space + 1, s->n_space - 1u);
    bytes_char(&room, ':');
    if (!room.failed)
        ctx->host->session_join(ctx, c->sid, bytes_view(&room));
    bytes_finish(&room);
}

static void connect_socket(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct socket *s = e->socket;
    s->state = SOCKET_CONNECTED;
    engine_entered(c);
    send_connected(c, s);
    if (s->pid[0])
        recover_enter(c->worker, s->pid, c->sid);
    join_everybody(c, s);
    entered_note(c, s, payload_of(e));
    next(c);
}

static void connect_afresh(struct conn *c)
{
    struct socket *s = c->sockets.entering->socket;
    socket_leave_rooms(c, s);
    name_socket(c, s);
    if (c->worker->options->recovery > 0)
        recover_name(c->worker, s->pid);
    connect_socket(c);
}

/* ---- what it had ---- */

static void take_up(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct socket *s = e->socket, *found = e->found;
    memcpy(s->pid, found->pid, sizeof(s->pid));
    memcpy(s->sid, found->sid, sizeof(s->sid));
    places_free(s->places); /* those of the joins just now; the old ones say more */
    s->places = found->places;
    found->places = NULL;
    connect_socket(c);
}

static bool is_in(const struct place *p, hb_str room)
{
    while (p && !str_same(place_room(p), room))
        p = p->next;
    return p != NULL;
}

void enter_joined(struct conn *c, const hb_event *ev)
{
    struct entering *e = c->sockets.entering;
    const struct socket *found = e ? e->found : NULL;
    if (!found)
        return;
    const struct place *own = found->rest->own;
    if (is_in(found->places, ev->room) || (own && own->n_cursor > 0 && str_same(place_room(own), ev->room)))
        e->lost |= ev->code != HB_OK || ev->recovered != 1; /* a room without history: who knows */
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
        engine_fault(c);
    } else if (e->found && !e->lost && code == HB_OK) {
        take_up(c);
    } else {
        connect_afresh(c);
    }
    engine_release(c);
}

/* Where each room goes on: the newest cursor that says something of it. The client's own offset, of
 * the rooms that it was in by then; of the others where they were joined. An offset that is none of
 * ours (some event of the application put it there): where the server last was. */
struct since {
    hb_str list[ROOMS_MAX * 2 + 4];
    size_t n;
};

static void add_places(struct since *s, const struct place *p, uint64_t stamp, bool later)
{
    for (; p && s->n < ROOMS_MAX * 2; p = p->next)
        if (p->n_cursor > 0 && (p->joined_at > stamp) == later)
            s->list[s->n++] = place_cursor(p);
}

static void merge_cursors(struct conn *c, const struct socket *found, hb_str offset, hb_out *out)
{
    const hb_net *net = c->worker->net;
    struct since *since = calloc(1, sizeof(*since));
    uint64_t stamp = 0;
    hb_str cursor = {NULL, 0};
    if (!since)
        return;
    bool ours = offset.p && wire_offset(offset, &stamp, &cursor) && stamp <= worker_stamp(c->worker) &&
        net->cursor_merge(&cursor, 1, out) == 1;
    net->out_truncate(out, 0);
    if (offset.p && !ours) {
        stamp = UINT64_MAX;
        cursor = found->rest->last;
    }
    add_places(since, found->places, stamp, true);
    add_places(since, found->rest->own, stamp, true);
    if (cursor.p)
        since->list[since->n++] = cursor;
    add_places(since, found->places, stamp, false);
    add_places(since, found->rest->own, stamp, false);
    net->cursor_merge(since->list, since->n, out);
    free(since);
}

static bool is_everybody(const struct place *p)
{
    hb_str room = place_room(p);
    return room.n > 0 && room.p[room.n - 1] == ':';
}

static size_t rooms_of(const struct socket *found, hb_str *rooms)
{
    size_t n = 0;
    for (const struct place *p = found->places; p && n < ROOMS_MAX; p = p->next)
        if (!is_everybody(p))
            rooms[n++] = place_room(p);
    return n;
}

static void start(struct conn *c, const struct socket *found, hb_str offset)
{
    const hb_net *net = c->worker->net;
    hb_str *rooms = found ? calloc(ROOMS_MAX, sizeof(*rooms)) : NULL;
    hb_out *cursor = found ? net->out_create() : NULL;
    size_t n = rooms ? rooms_of(found, rooms) : 0;
    c->sockets.started = true;
    if (found)
        merge_cursors(c, found, offset, cursor);
    net->start(c->session, rooms, n, found && net->out_size(cursor) > 0 ? net->out_view(cursor) : (hb_str){NULL, 0},
        on_started);
    net->out_destroy(cursor);
    free(rooms);
}

static bool fits(struct conn *c, const struct socket *found, const struct socket *s)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    return str_same(socket_space(found), socket_space(s)) && str_same(found->rest->user, info.user) &&
        !found->rest->user.p == !info.user.p;
}

static void begin(struct conn *c)
{
    struct entering *e = c->sockets.entering;
    struct bytes offset = BYTES_INIT;
    if (e->found && !fits(c, e->found, e->socket)) {
        recover_store(c->worker, e->found); /* whoever it belongs to may still want it */
        e->found = NULL;
    }
    if (e->found) {
        hb_str value = jtext_get(payload_of(e), HB_STR("offset"));
        bool given = value.p && jtext_string(value, &offset);
        start(c, e->found, given ? bytes_view(&offset) : (hb_str){NULL, 0});
    } else if (!c->sockets.started) {
        start(c, NULL, (hb_str){NULL, 0});
    } else {
        connect_afresh(c);
    }
    bytes_finish(&offset);
}

bool enter_found(const hb_ctx *ctx, hb_sid sid, uint32_t number, struct socket *found)
{
    struct conn *c = engine_find(ctx, sid);
    struct entering *e = c ? c->sockets.entering : NULL;
    if (!e || e->number != number)
        return false;
    e->number = 0;
    e->found = found;
    engine_hold(c);
    begin(c);
    engine_release(c);
    return true;
}

static void find(struct conn *c)
{
    static _Thread_local uint32_t last_number;
    struct entering *e = c->sockets.entering;
    struct bytes pid = BYTES_INIT;
    hb_str value = jtext_get(payload_of(e), HB_STR("pid"));
    if (c->worker->options->recovery > 0 && value.p && jtext_string(value, &pid)) {
        e->number = ++last_number ? last_number : ++last_number;
        if (!recover_ask(c->worker, bytes_view(&pid), c->sid, e->number))
            e->number = 0;
    }
    bytes_finish(&pid);
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

void enter_replied(struct conn *c, const hb_event *ev)
{
    if (!c->sockets.entering)
        return;
    if (ev->code == HB_OK) {
        c->sockets.waits_for_token = false;
        find(c);
    } else if (ev->code == HB_RATE_LIMITED || ev->code == HB_UNAVAILABLE) {
        refuse(c, ev->text.p ? ev->text : HB_STR("Try again later"), ev);
    } else {
        refuse(c, HB_STR("Invalid token"), ev);
    }
}

/* ---- the packet ---- */

static struct socket *create_socket(hb_str space)
{
    struct socket *s = calloc(1, sizeof(*s) + space.n);
    if (!s)
        return NULL;
    s->n_space = (uint8_t)space.n;
    memcpy(s->space, space.p, space.n);
    return s;
}

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
    s = create_socket(p->space);
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
