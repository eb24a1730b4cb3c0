#include "session/start.h"
#include "base/check.h"
#include "base/str.h"
#include "session/own.h"
#include "session/presence.h"
#include "session/replay.h"
#include <stdlib.h>
#include <string.h>

struct start {
    size_t pending;     /* rooms not answered yet, its user's own among them */
    bool any;           /* some room could be joined, or none was named */
    hb_code code;       /* why the first one could not */
    start_done done;
};

void start_free(struct session *ss)
{
    free(ss->start);
    ss->start = NULL;
}

static void finish(struct session *ss)
{
    struct start start = *ss->start;
    start_free(ss);
    hb_code code = start.any ? HB_OK : start.code;
    if (start.done)
        start.done(session_ctx(ss), ss->conn, code,
            code == HB_OK ? (hb_str){NULL, 0} : HB_STR("none of these rooms may be joined"));
    if (ss->state != SESSION_OPEN) /* it was refused for that */
        return;
    presence_started(ss);
    if (ss->n_replays > 0)
        outbox_tell_when_flushed(ss->s, &ss->out);
}

void start_joined(struct session *ss, const struct op *op, hb_event *ev)
{
    bool named = op->origin == OP_START;
    if (op->f.type != HB_OP_JOIN)
        return;
    ev->kind = HB_EV_JOINED;
    if (ss->start && op->origin != OP_SERVER) {
        ss->start->any |= named && ev->code == HB_OK;
        if (named && ss->start->code == HB_OK)
            ss->start->code = ev->code;
        ss->start->pending--;
    }
    if (op->origin != OP_SERVER || ev->code == HB_OK)
        session_event(ss, ev);
    if (ev->code == HB_UNAVAILABLE && own_room_is(op->f.room))
        own_room_later(ss, op);
}

void start_settle(struct session *ss)
{
    if (ss->start && ss->start->pending == 0 && ss->state == SESSION_OPEN)
        finish(ss);
}

void start_leave(struct session *ss, const hb_str *rooms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct membership *m = session_membership(ss, rooms[i]);
        if (m && m->joined)
            session_leave_room(ss, m, true);
    }
}

static bool named_before(const hb_str *rooms, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(rooms[k], rooms[i]))
            return true;
    return false;
}

static hb_str bad_rooms(const struct session *ss, const struct start_rooms *rooms)
{
    if (rooms->n - rooms->n_granted > (size_t)ss->s->config->limits.rooms_per_session)
        return HB_STR("too many rooms for one session");
    for (size_t i = rooms->n_granted; i < rooms->n; i++)
        if (!op_room_name(rooms->names[i]))
            return HB_STR("a room is named by 1 to 128 bytes of UTF-8 without control characters, not beginning with @");
    return (hb_str){NULL, 0};
}

void start_begin(struct session *ss, bool first, const struct start_rooms *rooms, hb_str cursor, start_done done)
{
    hb_str fault = bad_rooms(ss, rooms);
    if (fault.p) {
        done(session_ctx(ss), ss->conn, HB_BAD_REQUEST, fault);
        return;
    }
    bool own = first && rooms->own && own_room_has(ss);
    if (first)
        session_welcome(ss);
    if (rooms->n == 0 && !own) {
        if (done)
            done(session_ctx(ss), ss->conn, HB_OK, (hb_str){NULL, 0});
        return;
    }
    ss->start = mem_zalloc(sizeof(*ss->start));
    *ss->start = (struct start){.pending = own, .any = rooms->n == rooms->n_granted, .done = done};
    for (size_t i = 0; i < rooms->n; i++)
        ss->start->pending += !named_before(rooms->names, i);
    hb_sid sid = ss->sid;
    struct shard *s = ss->s;
    if (own)
        own_room_join(ss, cursor, OP_GRANTED);
    /* All of them may be answered before the last name, a second one of its room: `rooms` may be gone. */
    for (size_t i = 0; i < rooms->n && session_find(s, sid) && ss->start; i++) {
        hb_op f = {.type = HB_OP_JOIN, .room = rooms->names[i], .since = cursor};
        if (!named_before(rooms->names, i))
            ops_input(ss, &f, i < rooms->n_granted ? OP_GRANTED : OP_START, NULL);
    }
}
