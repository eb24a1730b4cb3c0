/* auth and refresh: a token by op instead of with the request. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/ops.h"
#include "session/connect.h"
#include "session/revoked.h"
#include "session/own.h"

static void ask(struct session *ss, struct op *op, bool refresh, void (*done)(struct chain *, hb_verdict))
{
    chain_init(&op->chain, ss->s, ss->sid, HOOK_CONNECT, done);
    connect_event(ss, &op->chain, op->f.token, NULL, refresh);
    chain_run(&op->chain);
}

enum { AGAIN_MAX = 10 };

static void refuse_auth(struct session *ss, struct op *op)
{
    const hb_outcome *out = &op->chain.out;
    hb_code code = out->code != HB_OK ? out->code : HB_UNAUTHORIZED;
    metrics_inc(ss->s->metrics, METRIC_AUTH_FAILURES + connect_failure(code));
    op_fail(ss, op, code, out->message.p ? out->message : HB_STR("Invalid token"), out->retry_after_ms);
    op_done(ss, op);
    if (!ss->auth_again || ++ss->bad >= AGAIN_MAX)
        session_close(ss, 4001, HB_STR("unauthorized"), HB_END_REFUSED);
}

static void on_auth(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
        return;
    }
    verdict = revoked_verdict(c, verdict);
    if (verdict == HB_DENY || (verdict == HB_NEXT && ss->s->hub->auth)) {
        refuse_auth(ss, op);
        return;
    }
    hb_event ev;
    bool started = ss->started;
    session_accept(ss, &c->out);
    if (ss->state == SESSION_WAITING)
        session_open(ss);
    if (started) {
        session_announce(ss);
        session_welcome(ss);
    }
    event_init(&ev, HB_EV_REPLY);
    op_reply(ss, op, &ev);
    if (started)
        own_room_join(ss, (hb_str){NULL, 0}, OP_SERVER);
    op_done(ss, op);
}

static bool may_auth(const struct session *ss)
{
    if (ss->state == SESSION_WAITING)
        return true;
    return !ss->user && (ss->auth_again ? ss->n_rooms == 0 : ss->may_auth && !ss->had_credential);
}

/* Where nobody looks at tokens each one is as good as none. */
static bool is_idle(const struct session *ss)
{
    return ss->auth_again && !ss->s->hub->auth && !ss->user;
}

void op_run_auth(struct session *ss, struct op *op)
{
    hb_event ev;
    if (may_auth(ss)) {
        ss->may_auth = false;
        ask(ss, op, false, on_auth);
        return;
    }
    if (is_idle(ss)) {
        event_init(&ev, HB_EV_REPLY);
        op_reply(ss, op, &ev);
        op_done(ss, op);
        return;
    }
    op_fail(ss, op, HB_CONFLICT, HB_STR("this session has its credentials already"), 0);
    op_done(ss, op);
}

/* Rooms that the new token gives no right to are left. */
static void drop_rights(struct session *ss)
{
    list_for_each_safe(item, &ss->rooms) {
        struct membership *m = list_entry(item, struct membership, in_session);
        hb_str room = members_name(m->room);
        const struct config_room *rule = config_room_rule(ss->s->config, room);
        if (!m->joined || !rule || rule->join != WHO_CLAIM || session_may_join(ss, room))
            continue;
        hb_event ev;
        event_init(&ev, HB_EV_JOINED);
        ev.room = room;
        ev.code = HB_FORBIDDEN;
        ev.text = HB_STR("the new token does not allow this room");
        session_event(ss, &ev);
        session_leave_room(ss, m, true);
    }
}

static void on_refresh(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
        return;
    }
    verdict = revoked_verdict(c, verdict);
    if (verdict == HB_DENY || verdict == HB_NEXT) {
        hb_code code = verdict == HB_DENY && c->out.code != HB_OK ? c->out.code : HB_UNAUTHORIZED;
        op_fail(ss, op, code, c->out.message.p ? c->out.message : HB_STR("Invalid token"), c->out.retry_after_ms);
    } else if (!str_eq(c->out.user, session_user(ss)) || !c->out.user.p) {
        op_fail(ss, op, HB_FORBIDDEN, HB_STR("a refresh is for the same user"), 0);
    } else {
        session_accept(ss, &c->out);
        drop_rights(ss);
        hb_event ev;
        event_init(&ev, HB_EV_REPLY);
        op_reply(ss, op, &ev);
    }
    op_done(ss, op);
}

void op_run_refresh(struct session *ss, struct op *op)
{
    ask(ss, op, true, on_refresh);
}
