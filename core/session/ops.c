#include "session/ops.h"
#include "base/check.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/batch.h"
#include "session/start.h"
#include <stdlib.h>

static void run(struct session *ss, struct op *op);

struct session *op_session(const struct op *op)
{
    struct session *ss = op->req.at || !op->req.back ? session_find(op->s, op->sid) : NULL;
    return ss && ss->state < SESSION_CLOSING ? ss : NULL;
}

hb_code op_refusal(const struct session *ss)
{
    return ss->user ? HB_FORBIDDEN : HB_UNAUTHORIZED;
}

/* --- answers ---------------------------------------------------------------------------------- */

void op_reply(struct session *ss, struct op *op, hb_event *ev)
{
    ev->id = op->f.id;
    ev->tag = op->f.tag;
    ev->op = op->f.type;
    if (op->origin == OP_BATCH) {
        batch_reply(op->batch, ev);
    } else if (op->origin >= OP_START) {
        start_joined(ss, op, ev);
    } else if (op->f.wants_reply) {
        session_event(ss, ev);
    } else if (ev->code != HB_OK) {
        ev->kind = HB_EV_ERROR;
        session_event(ss, ev);
    }
}

void op_fail(struct session *ss, struct op *op, hb_code code, hb_str text, int64_t retry_after_ms)
{
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    ev.code = code;
    ev.text = text;
    ev.room = op->f.room;
    ev.retry_after_ms = retry_after_ms > 0 ? retry_after_ms : -1;
    ev.same_key = code == HB_UNAVAILABLE && op->req.unknown;
    metrics_error(ss->s->metrics, code);
    op_reply(ss, op, &ev);
}

static const int limited_scope[HOOK_COUNT] = {
    [HOOK_CONNECT] = LIMITED_CONNECT, [HOOK_JOIN] = LIMITED_JOIN,
    [HOOK_PUBLISH] = LIMITED_PUBLISH, [HOOK_CALL] = LIMITED_CALL,
    [HOOK_PRESENCE] = LIMITED_PUBLISH};

void op_denied(struct session *ss, struct op *op)
{
    const hb_outcome *out = &op->chain.out;
    hb_code code = out->code != HB_OK ? out->code : op_refusal(ss);
    if (code == HB_RATE_LIMITED)
        metrics_inc(ss->s->metrics, METRIC_RATE_LIMITED + limited_scope[op->chain.kind]);
    op_fail(ss, op, code, out->message, out->retry_after_ms);
}

/* --- the queue -------------------------------------------------------------------------------- */

static bool may_run(const struct session *ss, const struct op *op)
{
    if (ss->busy)
        return false;
    if (op->f.type == HB_OP_PUBLISH)
        return ss->n_inflight < SESSION_INFLIGHT_MAX;
    return ss->n_inflight == 0;
}

static void set_paused(struct session *ss, bool paused)
{
    if (ss->paused == paused || !ss->out.stream)
        return;
    ss->paused = paused;
    ss->s->hub->io->pause(ss->out.stream, paused);
}

static void run_waiting(struct session *ss)
{
    while (!list_empty(&ss->waiting) && ss->state < SESSION_CLOSING) {
        struct op *op = list_entry(ss->waiting.next, struct op, link);
        if (!may_run(ss, op))
            break;
        list_remove(&op->link);
        ss->n_waiting--;
        run(ss, op);
    }
    if (ss->n_waiting <= ss->s->config->limits.waiting_ops / 2)
        set_paused(ss, false);
}

/* Not nested: an op that is over at once returns to the loop that started it. */
void ops_continue(struct session *ss)
{
    if (ss->running_queue)
        return;
    ss->running_queue = true;
    run_waiting(ss);
    ss->running_queue = false;
}

void op_done(struct session *ss, struct op *op)
{
    if (!ss) {
        op_free(op);
        return;
    }
    if (ss->busy == op)
        ss->busy = NULL;
    else if (op->f.type == HB_OP_PUBLISH)
        ss->n_inflight--;
    op_free(op);
    start_settle(ss);
    ops_continue(ss);
}

static void wait_turn(struct session *ss, struct op *op)
{
    int64_t max = ss->s->config->limits.waiting_ops;
    bool ours = op->origin >= OP_START; /* bounded by rooms_per_session */
    if (!ours && ss->n_waiting >= max * 4) { /* a transport that can't be paused */
        op_fail(ss, op, HB_RATE_LIMITED, HB_STR("too many ops at once"), 1000);
        op_free(op);
        return;
    }
    list_push_back(&ss->waiting, &op->link);
    if (++ss->n_waiting >= max)
        set_paused(ss, true);
}

void ops_input(struct session *ss, const hb_op *f, enum op_origin origin, struct batch *batch)
{
    if (ss->state >= SESSION_CLOSING)
        return;
    struct op *op = op_create(ss->s, ss->sid, f, origin);
    if (!op) {
        session_error(ss, HB_UNAVAILABLE, HB_STR("out of memory"));
        return;
    }
    op->batch = batch;
    if (list_empty(&ss->waiting) && may_run(ss, op))
        run(ss, op);
    else
        wait_turn(ss, op);
}

void ops_bad(struct session *ss, const hb_op *f, hb_code code, hb_str sentence, struct batch *batch)
{
    hb_event ev;
    event_init(&ev, f->id.p ? HB_EV_REPLY : HB_EV_ERROR);
    ev.id = f->id;
    ev.tag = f->tag;
    ev.op = f->type;
    ev.code = code;
    ev.text = sentence;
    metrics_error(ss->s->metrics, code);
    if (batch)
        batch_reply(batch, &ev);
    else
        session_event(ss, &ev);
}

void ops_abandon(struct session *ss)
{
    while (!list_empty(&ss->waiting)) {
        struct op *op = list_entry(ss->waiting.next, struct op, link);
        list_remove(&op->link);
        op_free(op);
    }
    ss->n_waiting = 0;
    ss->busy = NULL; /* what is under way comes back, finds no session, and is freed */
}

/* --- running one ------------------------------------------------------------------------------ */

/* WAITING: nothing but `auth`. True when the op may run. */
static bool passes_gate(struct session *ss, struct op *op)
{
    if (ss->state != SESSION_WAITING || op->f.type == HB_OP_AUTH)
        return true;
    op_fail(ss, op, HB_UNAUTHORIZED, HB_STR("the first op must be auth"), 0);
    op_free(op);
    session_close(ss, 4001, HB_STR("unauthorized"), HB_END_REFUSED);
    return false;
}

static void run_ping(struct session *ss, struct op *op)
{
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    op_reply(ss, op, &ev);
    op_done(ss, op);
}

static void dispatch(struct session *ss, struct op *op)
{
    switch (op->f.type) {
    case HB_OP_AUTH:
        op_run_auth(ss, op);
        break;
    case HB_OP_REFRESH:
        op_run_refresh(ss, op);
        break;
    case HB_OP_JOIN:
        op_run_join(ss, op);
        break;
    case HB_OP_LEAVE:
        op_run_leave(ss, op);
        break;
    case HB_OP_PUBLISH:
        op_run_publish(ss, op);
        break;
    case HB_OP_PRESENCE:
        op_run_presence(ss, op);
        break;
    case HB_OP_HISTORY:
        op_run_history(ss, op);
        break;
    case HB_OP_CALL:
        op_run_call(ss, op);
        break;
    default:
        run_ping(ss, op);
        break;
    }
}

static void run(struct session *ss, struct op *op)
{
    const char *sentence;
    if (!passes_gate(ss, op))
        return;
    if (op->f.type == HB_OP_PUBLISH)
        ss->n_inflight++;
    else
        ss->busy = op;
    if (op->origin == OP_CLIENT || op->origin == OP_BATCH)
        ss->may_auth &= op->f.type == HB_OP_AUTH;
    hb_code code = op_check(&op->f, &sentence);
    if (code != HB_OK) {
        op_fail(ss, op, code, str_of(sentence), 0);
        op_done(ss, op);
        return;
    }
    dispatch(ss, op);
}
