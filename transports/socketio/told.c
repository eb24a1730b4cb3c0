/* What the host tells a connection: replies, rooms joined for it, its end. */
#include "engine.h"
#include "ops.h"
#include "recover.h"
#include "space.h"
#include <stdlib.h>

enum { IN_FLIGHT_MS = 5000 }; /* how long packets may cross the server's DISCONNECT */

static void put_out(struct conn *c, struct socket *s)
{
    struct bytes text = BYTES_INIT;
    packet_head(&text, PACKET_DISCONNECT, 0, socket_space(s), NULL);
    if (!text.failed)
        engine_send(c, bytes_view(&text));
    bytes_finish(&text);
    s->state = SOCKET_GONE;
    s->gone_until = c->worker->ctx->host->now_ms() + IN_FLIGHT_MS;
}

static void on_exit_space(struct conn *c, hb_str space)
{
    struct socket *s = socket_find(c, space);
    if (!s || s->state != SOCKET_CONNECTED)
        return;
    put_out(c, s);
    socket_leave_rooms(c, s);
    ops_forget(c, s);
    if (s->pid[0])
        recover_leave(c->worker, s->pid);
    s->pid[0] = '\0';
}

/* A client that is told so does not come back by itself; one whose transport just closes does. */
static void on_bye(struct conn *c, const hb_event *ev)
{
    if (ev->reconnect)
        return;
    c->sockets.forget = true;
    for (struct socket *s = c->sockets.list; s; s = s->next) {
        if (s->state != SOCKET_CONNECTED)
            continue;
        put_out(c, s);
        if (s->pid[0])
            recover_leave(c->worker, s->pid);
        s->pid[0] = '\0';
    }
}

/* `@`, then its user. */
static bool is_own(const struct conn *c, hb_str room)
{
    hb_session_info info = {.size = sizeof(info)};
    c->worker->ctx->host->session_info(c->session, &info);
    return info.user.p && str_same((hb_str){room.p + 1, room.n - 1}, info.user);
}

/* By the server, or because its namespace is entered again. */
static void on_joined(struct conn *c, const hb_event *ev)
{
    struct space_room whose;
    if (ev->room.p[0] == '@') {
        if (!c->sockets.own && c->worker->options->recovery > 0 && is_own(c, ev->room))
            place_note(c, &c->sockets.own, (hb_str){NULL, 0}, ev->cursor, true);
        return;
    }
    space_of(c->worker->options, ev->room, &whose);
    struct socket *s = socket_find(c, whose.space);
    if (s && !place_find(&s->places, ev->room))
        place_note(c, &s->places, ev->room, ev->cursor, true);
}

static void on_left(struct conn *c, hb_str room)
{
    struct space_room whose;
    space_of(c->worker->options, room, &whose);
    struct socket *s = socket_find(c, whose.space);
    struct place **at = s ? place_find(&s->places, room) : NULL;
    if (at)
        place_remove(at);
}

/* For this client alone. True: dealt with; else it is encoded. */
static bool on_message(struct conn *c, const hb_event *ev)
{
    if (ev->room.p)
        return false;
    if (ev->ask)
        return ops_ask(c, ev);
    const struct socket *s = socket_find(c, space_of_host(ev->space));
    return !s || s->state != SOCKET_CONNECTED;
}

static bool tell(struct conn *c, const hb_event *ev)
{
    switch (ev->kind) {
    case HB_EV_REPLY:
        ops_replied(c, ev);
        return true;
    case HB_EV_JOINED:
        enter_joined(c, ev);
        if (ev->code == HB_OK)
            on_joined(c, ev);
        else
            on_left(c, ev->room); /* a right that was lost */
        return true;
    case HB_EV_LEFT:
        on_left(c, ev->room);
        return true;
    case HB_EV_MESSAGE:
        return on_message(c, ev);
    case HB_EV_BYE:
        on_bye(c, ev);
        return true;
    case HB_EV_EXIT:
        on_exit_space(c, space_of_host(ev->space));
        return true;
    default:
        return true;
    }
}

bool socket_event(const hb_ctx *ctx, void *conn, const hb_event *ev)
{
    struct conn *c = conn;
    (void)ctx;
    engine_hold(c);
    bool dealt_with = c->echo || c->over || tell(c, ev);
    engine_release(c);
    return dealt_with;
}
