#include "session/net.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/encode.h"
#include "out/msg.h"
#include "session/connect.h"
#include "session/native.h"
#include "session/ops.h"
#include "session/publish.h"
#include "session/replay.h"
#include "session/start.h"
#include <stdlib.h>
#include <string.h>

static struct session *of(hb_session *session)
{
    return (struct session *)session;
}

static const struct session *of_const(const hb_session *session)
{
    return (const struct session *)session;
}

/* --- hb_net ------------------------------------------------------------------------------------- */

void net_open(const hb_ctx *ctx, hb_request *req, const hb_open *how)
{
    struct shard *s = hooks_shard(ctx);
    connect_open(s, (unsigned)(ctx - s->ctx), req, how);
}

static void on_writable(void *owner)
{
    struct session *ss = owner;
    outbox_writable(ss->s, &ss->out);
}

/* What waits can't be written any more; the transport's `closed` comes next and ends the session. */
static void on_gone(void *owner)
{
    struct session *ss = owner;
    outbox_detach(ss->s, &ss->out);
    outbox_close(ss->s, &ss->out);
    outbox_abandon(ss->s, &ss->out);
}

static const struct io_watch stream_watch = {on_writable, on_gone};

void net_attach(hb_session *session, hb_stream *stream)
{
    struct session *ss = of(session);
    ss->s->hub->io->bind(stream, &stream_watch, ss);
    outbox_attach(ss->s, &ss->out, stream);
}

static void start(struct session *ss, const struct start_rooms *rooms, hb_str cursor, start_done started)
{
    bool first = !ss->started;
    ss->started = true;
    if (ss->state == SESSION_OPEN) {
        session_announce(ss);
        start_begin(ss, first, rooms, cursor, started);
    } else if (started) {
        started(session_ctx(ss), ss->conn, HB_OK, (hb_str){NULL, 0});
    }
}

void net_start(hb_session *session, const hb_str *rooms, size_t n_rooms, hb_str cursor, start_done started)
{
    start(of(session), &(struct start_rooms){rooms, n_rooms, 0, true}, cursor, started);
}

void net_resume(hb_session *session, const hb_str *rooms, size_t n_rooms, size_t n_granted, hb_str cursor,
    start_done started)
{
    start(of(session), &(struct start_rooms){rooms, n_rooms, n_granted, false}, cursor, started);
}

void net_leave(hb_session *session, const hb_str *rooms, size_t n)
{
    start_leave(of(session), rooms, n);
}

static _Thread_local struct native_scratch scratch;

void net_finish(void)
{
    buf_finish(&scratch.text);
}

static void count_fault(struct session *ss)
{
    if (++ss->bad >= SESSION_BAD_MAX)
        session_close(ss, 1008, HB_STR("too many faulty ops in a row"), HB_END_ERROR);
}

void net_input(hb_session *session, hb_str json)
{
    struct session *ss = of(session);
    const char *sentence;
    hb_op op;
    if (ss->state >= SESSION_CLOSING)
        return;
    session_touch(ss);
    hb_code code = native_decode(json, &scratch, &op, &sentence);
    if (code != HB_OK) {
        hb_sid sid = ss->sid;
        if (ss->state == SESSION_WAITING) {
            ops_bad(ss, &op, HB_UNAUTHORIZED, HB_STR("the first op must be auth"), NULL);
            session_close(ss, 4001, HB_STR("unauthorized"), HB_END_REFUSED);
            return;
        }
        ops_bad(ss, &op, code, str_of(sentence), NULL);
        if (session_find(ss->s, sid))
            count_fault(ss);
        return;
    }
    ss->bad = 0;
    ops_input(ss, &op, OP_CLIENT, NULL);
}

void net_op(hb_session *session, const hb_op *op)
{
    struct session *ss = of(session);
    session_touch(ss);
    ops_input(ss, op, OP_CLIENT, NULL);
}

void net_push(hb_session *session, const void *bytes, size_t n)
{
    struct session *ss = of(session);
    struct frame *f = encode_bytes(bytes, n);
    outbox_push(ss->s, &ss->out, f);
    frame_unref(f);
}

size_t net_take(hb_session *session, size_t max_bytes, hb_str separator, hb_out *out)
{
    struct session *ss = of(session);
    return outbox_take(ss->s, &ss->out, max_bytes, separator, out);
}

void net_touch(hb_session *session)
{
    session_touch(of(session));
}

/* Where it goes into answers that are fetched, each gets a number: two never have the same cursor. */
void net_cursor(hb_session *session, hb_out *out)
{
    struct session *ss = of(session);
    struct cursor_writer w;
    cursor_begin(&w, session_transport(ss)->ready ? ++ss->n_answers : 0);
    list_for_each(item, &ss->rooms) {
        struct membership *m = list_entry(item, struct membership, in_session);
        if (m->joined && m->keeps)
            cursor_add(&w, members_hash(m->room), m->pos);
    }
    cursor_end(&w, &out->bytes);
}

void net_variant(hb_session *session, unsigned variant)
{
    struct session *ss = of(session);
    outbox_rewire(ss->s, &ss->out, session_wire(ss, variant));
    session_count_cursors(ss, 0);
}

size_t net_cursor_merge(const hb_str *cursors, size_t n, hb_out *out)
{
    return cursor_merge(cursors, n, &out->bytes);
}

size_t net_cursor_latest(const hb_str *cursors, size_t n, hb_out *out)
{
    return cursor_latest(cursors, n, &out->bytes);
}

void net_end(hb_session *session, hb_end why, bool at_once)
{
    session_end(of(session), why, at_once);
}

void net_close(hb_session *session, int close_code, hb_str reason, hb_end why)
{
    session_close(of(session), close_code, reason, why);
}

hb_str net_ticket(hb_session *session)
{
    static _Thread_local char text[SESSION_TICKET_MAX];
    return session_ticket(of(session), text);
}

void net_out_json(hb_out *out, const hb_event *ev)
{
    native_encode(ev, &out->bytes);
}

/* --- hb_host: tickets and information -------------------------------------------------------------- */

hb_ticket *host_later(const hb_ctx *ctx, void *ev)
{
    return hooks_later(ctx, ev);
}

void host_complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    hooks_complete(ticket, verdict, outcome);
}

/* A module built when the struct was shorter has no room for more. */
void host_session_info(const hb_session *session, hb_session_info *out)
{
    static _Thread_local char id[SESSION_TICKET_MAX], remote[64];
    const struct session *ss = of_const(session);
    const struct session_auth *auth = ss->auth;
    hb_session_info all = {.size = out->size,
        .sid = ss->sid,
        .id = session_public_id(ss, id),
        .user = session_user(ss),
        .remote = session_remote(ss, remote),
        .transport = str_of(ss->s->hub->modules[ss->module].desc->name),
        .token_id = str_of(auth ? auth->token_id : NULL),
        .opened_ts = ss->opened_ts,
        .issued_at = auth ? auth->issued_at : 0,
        .expires_at = auth ? auth->expires_at : 0};
    memcpy(out, &all, out->size < sizeof(all) ? out->size : sizeof(all));
}

hb_session *host_session_find(const hb_ctx *ctx, hb_sid sid)
{
    return ctx->worker >= 0 ? (hb_session *)session_find(hooks_shard(ctx), sid) : NULL;
}

void **host_session_slot(const hb_ctx *ctx, hb_session *session)
{
    struct session *ss = of(session);
    int slot = ss->s->hub->modules[ctx - ss->s->ctx].slot;
    return slot >= 0 ? &ss->slots[slot] : NULL;
}

bool host_session_is_member(hb_session *session, hb_str room)
{
    const struct membership *m = session_membership(of(session), room);
    return m && m->joined && !of(session)->rooms_left;
}

/* --- hb_host: doing something to a session, from any thread ------------------------------------------ */

enum order_kind { ORDER_EMIT, ORDER_KICK, ORDER_JOIN, ORDER_LEAVE };

struct order {
    struct mail mail;
    enum order_kind kind;
    hb_sid sid;
    hb_end why;
    hb_str a, b;
    char bytes[];
};

static void emit(struct session *ss, hb_str event, hb_str data)
{
    hb_event ev;
    event_init(&ev, HB_EV_MESSAGE);
    ev.event = event;
    ev.data = data.p ? data : HB_STR("null");
    ev.ts = clock_wall_ms();
    ev.server = true;
    session_event(ss, &ev);
}

static int close_code_of(hb_end why)
{
    switch (why) {
    case HB_END_EXPIRED:
    case HB_END_REFUSED:
        return 4001;
    case HB_END_RATE:
        return 4029;
    case HB_END_SLOW:
        return 4008;
    default:
        return 4003;
    }
}

static void carry_out(struct session *ss, const struct order *o)
{
    hb_op f = {.room = o->a};
    switch (o->kind) {
    case ORDER_EMIT:
        emit(ss, o->a, o->b);
        break;
    case ORDER_KICK:
        session_close(ss, close_code_of(o->why), o->a, o->why);
        break;
    case ORDER_JOIN:
        f.type = HB_OP_JOIN;
        ops_input(ss, &f, OP_SERVER, NULL);
        break;
    case ORDER_LEAVE:
        f.type = HB_OP_LEAVE;
        ops_input(ss, &f, OP_SERVER, NULL);
        break;
    }
}

static void on_order(struct mail *mail, void *receiver)
{
    struct order *o = container_of(mail, struct order, mail);
    struct session *ss = session_find(receiver, o->sid);
    if (ss && ss->state == SESSION_OPEN)
        carry_out(ss, o);
    free(o);
}

static void discard_order(struct mail *mail)
{
    free(container_of(mail, struct order, mail));
}

/* By mail even on the session's own worker: a hook must not find its session closed under it. */
static void send_order(const hb_ctx *ctx, enum order_kind kind, hb_sid sid, hb_str a, hb_str b, hb_end why)
{
    struct hub *hub = hooks_hub();
    int worker = sid_worker(sid);
    if (!hub || worker < 0 || worker >= hub->n_workers)
        return;
    struct order *o = mem_alloc(sizeof(*o) + a.n + b.n);
    *o = (struct order){.mail = {.deliver = on_order, .discard = discard_order}, .kind = kind, .sid = sid, .why = why};
    memcpy(o->bytes, a.p ? a.p : "", a.n);
    memcpy(o->bytes + a.n, b.p ? b.p : "", b.n);
    o->a = (hb_str){o->bytes, a.n};
    o->b = (hb_str){b.p ? o->bytes + a.n : NULL, b.n};
    shard_post(hub, worker, &o->mail);
}

void host_session_emit(const hb_ctx *ctx, hb_sid sid, hb_str event, hb_str data)
{
    send_order(ctx, ORDER_EMIT, sid, event, data, HB_END_CLIENT);
}

void host_session_kick(const hb_ctx *ctx, hb_sid sid, hb_end why, hb_str reason)
{
    send_order(ctx, ORDER_KICK, sid, reason, (hb_str){NULL, 0}, why);
}

void host_session_join(const hb_ctx *ctx, hb_sid sid, hb_str room)
{
    send_order(ctx, ORDER_JOIN, sid, room, (hb_str){NULL, 0}, HB_END_CLIENT);
}

void host_session_leave(const hb_ctx *ctx, hb_sid sid, hb_str room)
{
    send_order(ctx, ORDER_LEAVE, sid, room, (hb_str){NULL, 0}, HB_END_CLIENT);
}

void host_publish(const hb_ctx *ctx, hb_str room, hb_str event, hb_str data, hb_str key)
{
    publish_from_anywhere(hooks_hub(), room, event, data, key, 0, NULL, NULL);
}
