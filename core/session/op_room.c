/* join, leave, history. */
#include "base/check.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/member.h"
#include "session/native.h"
#include "session/own.h"
#include "session/ops.h"
#include "session/presence.h"
#include "session/replay.h"
#include <stdlib.h>

enum { HISTORY_DEFAULT = 50 };

static hb_str cursor_of(hb_str room, hb_pos pos, char *buf)
{
    return (hb_str){buf, cursor_write_one(room, pos, buf, CURSOR_TEXT_MAX)};
}

static bool keeps_history(const struct session *ss, hb_str room)
{
    const struct config_room *rule = config_room_rule(ss->s->config, room);
    return rule && rule->history.messages > 0;
}

/* --- join ------------------------------------------------------------------------------------- */

static void fill_joined(struct session *ss, struct op *op, hb_event *ev, hb_pos pos, char *cursor)
{
    event_init(ev, HB_EV_REPLY);
    ev->room = op->f.room;
    ev->members = op->req.members;
    if (keeps_history(ss, op->f.room))
        ev->cursor = cursor_of(op->f.room, pos, cursor);
}

/* Already a member: the position now. */
static void on_position(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    char cursor[CURSOR_TEXT_MAX];
    hb_event ev;
    if (ss && req->code != HB_OK) {
        op_fail(ss, op, req->code, (hb_str){NULL, 0}, 0);
    } else if (ss) {
        fill_joined(ss, op, &ev, req->pos, cursor);
        op_reply(ss, op, &ev);
        struct membership *m = session_membership(ss, op->f.room);
        if (m)
            presence_again(ss, m);
    }
    op_done(ss, op);
}

static void join_again(struct session *ss, struct op *op)
{
    if (op->f.since.p) {
        op_fail(ss, op, HB_CONFLICT, HB_STR("already in this room; since is for joining it"), 0);
        op_done(ss, op);
        return;
    }
    op->req.verb = HOME_READ;
    op->req.room = op->f.room;
    op->req.back = on_position;
    home_send(ss->s, &op->req);
}

static void undo_reserve(struct shard *s, struct op *op)
{
    struct membership *m = op->membership;
    op->membership = NULL;
    list_remove(&m->in_session);
    members_release(s, m->room);
    free(m);
}

static void settle_recovery(struct session *ss, struct op *op, hb_event *ev)
{
    if (!op->f.since.p)
        return;
    bool recovered = op->req.has_since && op->req.recovered;
    ev->recovered = recovered;
    metrics_inc(ss->s->metrics, METRIC_RECOVERIES + (recovered ? RECOVERY_COMPLETE : RECOVERY_LOST));
}

static void on_joined(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    struct membership *m = op->membership;
    char cursor[CURSOR_TEXT_MAX];
    hb_event ev;
    if (!ss) { /* its membership went with the session */
        presence_undo_join(op->s, req);
        if (req->code == HB_OK && req->at)
            home_leave(op->s, op->f.room);
        op_free(op);
        return;
    }
    if (req->code != HB_OK) {
        presence_undo_join(ss->s, req);
        undo_reserve(ss->s, op);
        op_fail(ss, op, req->code, req->code == HB_ROOM_FULL ? HB_STR("the room is full") : HB_STR("try again"), 0);
        op_done(ss, op);
        return;
    }
    /* What an opening names is not live before all of it is answered: by a replay, be it of nothing. */
    bool behind = req->has_since && (ss->start || (req->recovered && req->more));
    m->joined = true;
    m->present = req->presence && req->presence->counted;
    m->keeps = keeps_history(ss, op->f.room);
    m->pos = req->pos;
    if (m->keeps)
        session_count_cursors(ss, 1);
    if (op->f.room.p[0] != '@') {
        ss->n_rooms++;
        metrics_add(ss->s->metrics, METRIC_ROOM_MEMBERSHIPS, 1);
    }
    fill_joined(ss, op, &ev, req->pos, cursor);
    settle_recovery(ss, op, &ev);
    op_reply(ss, op, &ev);
    if (op->f.room.p[0] != '@') {
        hooks_joined(ss->s, (hb_session *)ss, op->f.room, op->f.data);
        member_tell(ss, op->f.room, HB_STR("join"));
    }
    if (behind && !ss->rooms_left)
        replay_begin(ss, m);
    else if (!ss->rooms_left) /* else it was ended by who heard the answer */
        presence_live(ss, m);
    op_done(ss, op);
}

/* Take a place in this worker's list, not yet live, and ask the home. */
static void send_join(struct session *ss, struct op *op)
{
    struct membership *m = mem_zalloc(sizeof(*m));
    m->room = members_hold(ss->s, op->f.room);
    list_push_back(&ss->rooms, &m->in_session);
    op->membership = m;
    op->req.verb = HOME_JOIN;
    op->req.room = op->f.room;
    op->req.back = on_joined;
    op->req.quiet_limit = op->origin >= OP_GRANTED;
    op->req.presence = presence_of_join(ss, op->f.room, op->f.data);
    op->req.has_since = op->f.since.p && keeps_history(ss, op->f.room) &&
        cursor_find(op->f.since, op->f.room, &op->req.since) == 1;
    home_send(ss->s, &op->req);
}

static void on_join_asked(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
    } else if (verdict == HB_DENY) {
        op_denied(ss, op);
        op_done(ss, op);
    } else if (verdict == HB_NEXT && !session_may_join(ss, op->f.room)) {
        op_fail(ss, op, op_refusal(ss), HB_STR("this room may not be joined"), 0);
        op_done(ss, op);
    } else {
        send_join(ss, op);
    }
}

void op_run_join(struct session *ss, struct op *op)
{
    struct membership *m = session_membership(ss, op->f.room);
    if (m) {
        join_again(ss, op);
        return;
    }
    if (own_room_is_away(ss, op)) {
        op_fail(ss, op, HB_UNAVAILABLE, HB_STR("joined later, by itself"), 0);
        op_done(ss, op);
        return;
    }
    if (op->origin >= OP_GRANTED) {
        send_join(ss, op);
        return;
    }
    if (op->f.room.p[0] == '@') {
        op_fail(ss, op, op_refusal(ss), HB_STR("rooms that begin with @ are the server's"), 0);
        op_done(ss, op);
        return;
    }
    if (ss->n_rooms >= ss->s->config->limits.rooms_per_session) {
        op_fail(ss, op, HB_TOO_MANY_ROOMS, HB_STR("too many rooms for one session"), 0);
        op_done(ss, op);
        return;
    }
    chain_init(&op->chain, ss->s, ss->sid, HOOK_JOIN, on_join_asked);
    op->chain.ev.join = (hb_join){.session = (hb_session *)ss, .room = op->f.room, .data = op->f.data};
    chain_run(&op->chain);
}

/* --- leave ----------------------------------------------------------------------------------- */

static void reply_left(struct session *ss, struct op *op)
{
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    op_reply(ss, op, &ev);
}

/* The home knows by now: who joins after this reply finds the place free. */
static void on_left(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    if (ss)
        reply_left(ss, op);
    op_done(ss, op);
}

static void leave_member(struct session *ss, struct op *op, struct membership *m)
{
    session_leave_room(ss, m, true);
    if (op->origin == OP_SERVER) {
        hb_event ev;
        event_init(&ev, HB_EV_LEFT);
        ev.room = op->f.room;
        session_event(ss, &ev);
    }
    op->req.verb = HOME_SYNC;
    op->req.room = op->f.room;
    op->req.back = on_left;
    home_send(ss->s, &op->req);
}

void op_run_leave(struct session *ss, struct op *op)
{
    struct membership *m = session_membership(ss, op->f.room);
    if (m && op->f.room.p[0] != '@') {
        leave_member(ss, op, m);
        return;
    }
    if (m)
        op_fail(ss, op, HB_FORBIDDEN, HB_STR("a user's own room is never left"), 0);
    else
        reply_left(ss, op);
    op_done(ss, op);
}

/* --- history ---------------------------------------------------------------------------------- */

static void put_messages(const struct home_req *req, struct buf *list)
{
    buf_char(list, '[');
    for (size_t i = 0; i < req->n; i++) {
        hb_event ev;
        msg_event(req->messages[i], &ev);
        if (i > 0)
            buf_char(list, ',');
        native_encode(&ev, list);
    }
    buf_char(list, ']');
}

static void reply_history(struct session *ss, struct op *op)
{
    struct buf list = BUF_INIT;
    char cursor[CURSOR_TEXT_MAX];
    hb_event ev;
    put_messages(&op->req, &list);
    event_init(&ev, HB_EV_REPLY);
    ev.room = op->f.room;
    ev.list = buf_view(&list);
    ev.more = op->f.since.p && op->req.more;
    if (keeps_history(ss, op->f.room))
        ev.cursor = cursor_of(op->f.room, op->req.pos, cursor);
    if (op->f.since.p)
        ev.recovered = op->req.recovered;
    op_reply(ss, op, &ev);
    buf_finish(&list);
}

static void on_history(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    if (ss && req->code != HB_OK)
        op_fail(ss, op, req->code, HB_STR("the history can't be read now"), 0);
    else if (ss)
        reply_history(ss, op);
    op_done(ss, op);
}

static bool may_read(const struct session *ss, hb_str room)
{
    const struct membership *m = session_membership(ss, room);
    return (m && m->joined) || session_may_join(ss, room);
}

void op_run_history(struct session *ss, struct op *op)
{
    int found = 1;
    if (!may_read(ss, op->f.room)) {
        op_fail(ss, op, op_refusal(ss), HB_STR("this room's history may not be read"), 0);
        op_done(ss, op);
        return;
    }
    if (op->f.since.p)
        found = cursor_find(op->f.since, op->f.room, &op->req.since);
    if (found < 0) {
        op_fail(ss, op, HB_BAD_REQUEST, HB_STR("since is no cursor"), 0);
        op_done(ss, op);
        return;
    }
    op->req.has_since = op->f.since.p != NULL;
    if (found == 0)
        op->req.since = (hb_pos){0, 0}; /* of another room: nowhere in this stream */
    op->req.verb = HOME_READ;
    op->req.room = op->f.room;
    op->req.limit = op->f.limit > 0 ? (size_t)op->f.limit : HISTORY_DEFAULT;
    op->req.max_bytes = (size_t)ss->s->config->limits.outbox / 2;
    op->req.back = on_history;
    home_send(ss->s, &op->req);
}
