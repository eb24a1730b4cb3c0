/* publish and call. */
#include "base/check.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/ops.h"
#include <string.h>

/* --- publish ---------------------------------------------------------------------------------- */

static void reply_published(struct session *ss, struct op *op)
{
    const struct home_req *req = &op->req;
    const struct config_room *rule = config_room_rule(ss->s->config, op->f.room);
    char cursor[CURSOR_TEXT_MAX];
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    ev.room = op->f.room;
    ev.ts = req->ts;
    if (rule && rule->history.messages > 0)
        ev.cursor = (hb_str){cursor, cursor_write_one(op->f.room, req->pos, cursor, sizeof(cursor))};
    op_reply(ss, op, &ev);
}

static void finish_publish(struct session *ss, struct op *op)
{
    switch (op->req.code) {
    case HB_OK:
        reply_published(ss, op);
        if (!op->req.duplicate)
            hooks_published(ss->s, (hb_session *)ss, op->f.room, op->f.event, op->req.message->data);
        break;
    case HB_CONFLICT:
        op_fail(ss, op, HB_CONFLICT, HB_STR("this key was used with another event or data"), 0);
        break;
    default:
        metrics_inc(ss->s->metrics, METRIC_DROPPED + DROPPED_BACKEND);
        op_fail(ss, op, op->req.code, HB_STR("the message could not be stored now"), 1000);
        break;
    }
}

static void on_published(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    if (ss)
        finish_publish(ss, op);
    op_done(ss, op);
}

/* A user's keys are the user's; without one they are the ticket's. The prefix keeps them apart. The
 * op may outlive its session, so it keeps a copy. */
static hb_str scope_of(const struct session *ss, struct op *op)
{
    char own[SESSION_TICKET_MAX + 1] = "\n";
    if (op->scope)
        return str_of(op->scope);
    if (!ss->user)
        session_public_id(ss, own + 1);
    const char *scope = ss->user ? ss->user : own;
    op->scope = mem_strndup(scope, strlen(scope));
    return str_of(op->scope);
}

static void set_key(const struct session *ss, struct op *op)
{
    if (!op->f.key.p)
        return;
    uint64_t digest = hash_stable(op->f.event) * 31 + hash_stable(op->f.data);
    op->req.key = (hb_key){.room = op->f.room, .scope = scope_of(ss, op), .key = op->f.key, .digest = digest,
        .window_ms = ss->s->config->limits.key_window_ms};
}

static void send_publish(struct session *ss, struct op *op, hb_str data)
{
    hb_message *m = msg_create(op->f.room, op->f.event, data, session_user(ss));
    if (!m) {
        op_fail(ss, op, HB_UNAVAILABLE, HB_STR("out of memory"), 1000);
        op_done(ss, op);
        return;
    }
    m->origin = ss->sid;
    m->no_echo = op->f.no_echo;
    m->received_us = clock_mono_us();
    set_key(ss, op);
    op->req.message = m;
    op->req.verb = HOME_PUBLISH;
    op->req.room = op->f.room;
    op->req.back = on_published;
    home_send(ss->s, &op->req);
}

static void on_publish_asked(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
        return;
    }
    ss->busy = NULL;
    ss->n_inflight++;
    if (verdict == HB_DENY) {
        op_denied(ss, op);
        op_done(ss, op);
    } else if (verdict == HB_NEXT && !session_may_publish(ss, op->f.room)) {
        op_fail(ss, op, op_refusal(ss), HB_STR("publishing in this room is not allowed"), 0);
        op_done(ss, op);
    } else {
        send_publish(ss, op, c->ev.publish.data);
        ops_continue(ss);
    }
}

/* The hooks are asked one op at a time: a late answer must not let a later publish overtake. */
static void ask_hooks(struct session *ss, struct op *op)
{
    ss->n_inflight--;
    ss->busy = op;
    op->req.back = NULL;
    chain_init(&op->chain, ss->s, ss->sid, HOOK_PUBLISH, on_publish_asked);
    op->chain.ev.publish = (hb_publish){.session = (hb_session *)ss, .room = op->f.room, .event = op->f.event,
        .data = op->f.data, .key = op->f.key};
    chain_run(&op->chain);
}

/* A key that is known is answered before any hook may refuse: a retry costs nothing. */
static void on_lookup(struct home_req *req)
{
    struct op *op = container_of(req, struct op, req);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
    } else if (req->code == HB_NOT_FOUND || req->code == HB_UNAVAILABLE) {
        req->code = HB_OK;
        ask_hooks(ss, op);
    } else {
        finish_publish(ss, op);
        op_done(ss, op);
    }
}

static void look_up(struct session *ss, struct op *op)
{
    set_key(ss, op);
    op->req.verb = HOME_LOOKUP;
    op->req.room = op->f.room;
    op->req.back = on_lookup;
    home_send(ss->s, &op->req);
}

void op_run_publish(struct session *ss, struct op *op)
{
    if (!op->f.event.p)
        op->f.event = HB_STR("message");
    if (!op->f.data.p)
        op->f.data = HB_STR("null");
    metrics_inc(ss->s->metrics, ss->s->hub->modules[ss->module].metrics.received);
    if (op->f.room.p[0] == '@') {
        op_fail(ss, op, op_refusal(ss), HB_STR("rooms that begin with @ are the server's"), 0);
        op_done(ss, op);
    } else if (!hooks_any(ss->s->hub, HOOK_PUBLISH)) {
        if (session_may_publish(ss, op->f.room)) {
            send_publish(ss, op, op->f.data);
            return;
        }
        op_fail(ss, op, op_refusal(ss), HB_STR("publishing in this room is not allowed"), 0);
        op_done(ss, op);
    } else if (op->f.key.p) {
        look_up(ss, op);
    } else {
        ask_hooks(ss, op);
    }
}

/* --- call ------------------------------------------------------------------------------------- */

static void on_call_asked(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    if (!ss) {
        op_free(op);
        return;
    }
    if (verdict == HB_ALLOW) {
        hb_event ev;
        event_init(&ev, HB_EV_REPLY);
        ev.data = c->out.data.p ? c->out.data : HB_STR("null");
        op_reply(ss, op, &ev);
    } else if (verdict == HB_DENY) {
        op_denied(ss, op);
    } else {
        op_fail(ss, op, HB_NOT_FOUND, HB_STR("nobody answers this call"), 0);
    }
    op_done(ss, op);
}

void op_run_call(struct session *ss, struct op *op)
{
    if (!op->f.data.p)
        op->f.data = HB_STR("null");
    chain_init(&op->chain, ss->s, ss->sid, HOOK_CALL, on_call_asked);
    op->chain.ev.call = (hb_call){.session = (hb_session *)ss, .event = op->f.event, .data = op->f.data,
        .space = op->f.space};
    chain_run(&op->chain);
}
