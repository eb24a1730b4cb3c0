#include "session/presence.h"
#include "base/check.h"
#include "base/str.h"
#include "out/msg.h"
#include "session/ops.h"
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MAX = UINT16_MAX };

/* On its way to a room's home and back. */
struct asking {
    struct home_req req;
    struct home_presence p;
    struct shard *s;
    hb_sid sid;            /* who asks; 0: nobody, or all members */
    struct op *op;         /* the op `presence` that it is part of */
    char bytes[];
};

static void destroy(struct asking *a)
{
    home_req_finish(&a->req);
    free(a);
}

static void on_carried_out(struct home_req *req)
{
    destroy(container_of(req, struct asking, req));
}

/* NULL when memory is out for the data; never without. */
static struct asking *asking(struct shard *s, enum home_verb verb, hb_str room, const struct home_presence *who)
{
    size_t n = sizeof(struct asking) + room.n + who->user.n + who->session.n + who->data.n;
    struct asking *a = who->data.n > 0 ? mem_try_alloc(n) : mem_alloc(n);
    if (!a)
        return NULL;
    char *at = a->bytes;
    *a = (struct asking){.s = s, .sid = who->origin};
    a->p = (struct home_presence){.user = str_put(&at, who->user), .session = str_put(&at, who->session),
        .data = str_put(&at, who->data), .origin = who->origin, .users = BUF_INIT};
    a->req = (struct home_req){.verb = verb, .room = str_put(&at, room), .presence = &a->p,
        .back = on_carried_out};
    return a;
}

/* Borrowed from the session and `id`. */
static struct home_presence who_is(const struct session *ss, hb_str data, char id[static SESSION_TICKET_MAX])
{
    return (struct home_presence){.user = session_user(ss), .session = session_public_id(ss, id), .data = data,
        .origin = ss->sid};
}

static struct asking *asking_of(const struct session *ss, enum home_verb verb, hb_str room, hb_str data)
{
    char id[SESSION_TICKET_MAX];
    const struct home_presence who = who_is(ss, data, id);
    return asking(ss->s, verb, room, &who);
}

static struct asking *asking_of_member(const struct session *ss, const struct membership *m,
    enum home_verb verb, hb_str data)
{
    return asking_of(ss, verb, members_name(m->room), data);
}

/* --- with a join ------------------------------------------------------------------------------ */

static const struct config_room *rule_of(const struct shard *s, hb_str room)
{
    const struct config_room *rule = config_room_rule(s->config, room);
    return rule && rule->presence ? rule : NULL;
}

struct home_presence *presence_of_join(struct session *ss, hb_str room, hb_str data)
{
    char id[SESSION_TICKET_MAX];
    if (!ss->user || !hooks_any(ss->s->hub, HOOK_PRESENCE) || !rule_of(ss->s, room))
        return NULL;
    struct home_presence who = who_is(ss, data, id);
    size_t n = sizeof(who) + who.user.n + who.session.n;
    struct home_presence *p = data.n > 0 ? mem_try_alloc(n + data.n) : NULL;
    if (!p) { /* memory is out for the data: without */
        p = mem_alloc(n);
        who.data = (hb_str){NULL, 0};
    }
    char *at = (char *)(p + 1);
    *p = (struct home_presence){.user = str_put(&at, who.user), .session = str_put(&at, who.session),
        .data = str_put(&at, who.data), .origin = ss->sid, .users = BUF_INIT};
    return p;
}

void presence_undo_join(struct shard *s, const struct home_req *join)
{
    const struct home_presence *p = join->presence;
    if (!join->at || !p || !p->counted)
        return;
    const struct home_presence who = {.user = p->user, .session = p->session};
    home_send(s, &asking(s, HOME_PRESENCE_DROP, join->room, &who)->req);
}

/* --- telling ---------------------------------------------------------------------------------- */

static void to_event(const hb_presence_event *what, hb_event *ev)
{
    static const char *const names[] = {[HB_PRESENCE_JOIN] = "join", [HB_PRESENCE_LEAVE] = "leave",
        [HB_PRESENCE_UPDATE] = "update", [HB_PRESENCE_SYNC] = "sync",
        [HB_PRESENCE_COUNT] = "count"};
    event_init(ev, HB_EV_PRESENCE);
    ev->event = str_of(names[what->kind]);
    ev->room = what->room;
    ev->user = what->user;
    ev->session = what->session;
    ev->data = what->data;
    if (what->kind == HB_PRESENCE_SYNC)
        ev->list = what->users;
    if (what->kind == HB_PRESENCE_COUNT)
        ev->count = what->count;
}

void host_presence_tell(const hb_ctx *ctx, const hb_presence_event *what)
{
    hb_event ev;
    to_event(what, &ev);
    home_tell(hooks_shard(ctx), what->room, &ev, what->kind == HB_PRESENCE_JOIN ? what->origin : 0);
}

/* What an answer says, for clients; false: nothing. */
static bool sync_of(const struct asking *a, hb_event *ev)
{
    if (a->req.code != HB_OK || a->p.users.n == 0)
        return false;
    to_event(&(hb_presence_event){.kind = HB_PRESENCE_SYNC, .room = a->req.room,
        .users = buf_view(&a->p.users)}, ev);
    return true;
}

static void on_synced(struct home_req *req)
{
    struct asking *a = container_of(req, struct asking, req);
    struct session *ss = req->at ? session_find(a->s, a->sid) : NULL;
    struct membership *m = ss ? session_membership(ss, req->room) : NULL;
    hb_event ev;
    if (m && m->live && sync_of(a, &ev)) {
        members_settle(ss->s, m->room);
        session_event(ss, &ev);
    }
    destroy(a);
}

static void on_all_synced(struct home_req *req)
{
    struct asking *a = container_of(req, struct asking, req);
    hb_event ev;
    if (req->at && sync_of(a, &ev))
        home_tell(req->at, req->room, &ev, 0);
    destroy(a);
}

static void ask_sync(struct session *ss, struct membership *m)
{
    struct asking *a = asking_of_member(ss, m, HOME_PRESENCE_LIST, (hb_str){NULL, 0});
    m->wants_sync = false;
    a->req.limit = m->sync_limit;
    a->p.all_or_none = true;
    a->req.back = on_synced;
    home_send(ss->s, &a->req);
}

/* Not before it is live, or changes would be missed in between; not before the answers to all rooms
 * of its opening, which come first. */
static void sync_if_ready(struct session *ss, struct membership *m)
{
    if (m->wants_sync && m->live && !ss->start)
        ask_sync(ss, m);
}

void presence_live(struct session *ss, struct membership *m)
{
    members_add(m->room, m, &ss->out);
    sync_if_ready(ss, m);
}

void presence_again(struct session *ss, struct membership *m)
{
    m->wants_sync = m->has_sync;
    sync_if_ready(ss, m);
}

void presence_started(struct session *ss)
{
    list_for_each(item, &ss->rooms)
        sync_if_ready(ss, list_entry(item, struct membership, in_session));
}

/* --- what modules call ------------------------------------------------------------------------ */

bool host_presence_wanted(const hb_ctx *ctx, hb_str room)
{
    return rule_of(hooks_shard(ctx), room) != NULL;
}

static struct membership *member(hb_session *session, hb_str room)
{
    struct membership *m = session_membership((struct session *)session, room);
    return m && m->joined ? m : NULL;
}

void host_presence_set(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data)
{
    struct session *ss = (struct session *)session;
    struct membership *m = member(session, room);
    if (!m || ss->rooms_left || !ss->user)
        return;
    struct asking *a = asking_of_member(ss, m, HOME_PRESENCE_SET, data);
    if (!a)
        a = asking_of_member(ss, m, HOME_PRESENCE_SET, (hb_str){NULL, 0});
    m->present = true;
    home_send(ss->s, &a->req);
}

static void drop(struct session *ss, struct membership *m, int64_t grace_ms)
{
    if (!m->present)
        return;
    m->present = false;
    struct asking *a = asking_of_member(ss, m, HOME_PRESENCE_DROP, (hb_str){NULL, 0});
    a->p.grace_ms = grace_ms > 0 ? grace_ms : 0;
    home_send(ss->s, &a->req);
}

void host_presence_drop(const hb_ctx *ctx, hb_session *session, hb_str room, int64_t grace_ms)
{
    struct membership *m = member(session, room);
    if (m)
        drop((struct session *)session, m, grace_ms);
}

void presence_left(struct session *ss, struct membership *m)
{
    drop(ss, m, 0);
}

static void sync_all(struct shard *s, hb_str room, size_t limit)
{
    struct asking *a = asking(s, HOME_PRESENCE_LIST, room, &(struct home_presence){.user = {NULL, 0}});
    a->req.limit = limit;
    a->p.all_or_none = true;
    a->req.back = on_all_synced;
    home_send(s, &a->req);
}

void host_presence_sync(const hb_ctx *ctx, hb_session *session, hb_str room, size_t limit)
{
    struct membership *m = session ? member(session, room) : NULL;
    if (!session)
        sync_all(hooks_shard(ctx), room, limit < LIMIT_MAX ? limit : LIMIT_MAX);
    if (!m)
        return;
    m->wants_sync = m->has_sync = true;
    m->sync_limit = (uint16_t)(limit < LIMIT_MAX ? limit : LIMIT_MAX);
    sync_if_ready((struct session *)session, m);
}

/* --- the op ----------------------------------------------------------------------------------- */

static void fail(struct session *ss, struct op *op, hb_code code, hb_str sentence)
{
    op_fail(ss, op, code, sentence, 0);
    op_done(ss, op);
}

static void reply(struct session *ss, struct op *op, const struct asking *a)
{
    const struct membership *m = session_membership(ss, op->f.room);
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    ev.list = buf_view(&a->p.users);
    ev.count = a->p.count;
    if (m)
        members_settle(ss->s, m->room);
    op_reply(ss, op, &ev);
    op_done(ss, op);
}

static void on_listed(struct home_req *req)
{
    struct asking *a = container_of(req, struct asking, req);
    struct session *ss = req->at ? op_session(a->op) : NULL;
    if (!ss)
        op_free(a->op);
    else if (req->code != HB_OK)
        fail(ss, a->op, req->code, HB_STR("who is present can't be told now"));
    else
        reply(ss, a->op, a);
    destroy(a);
}

static void ask_list(struct session *ss, struct op *op)
{
    struct asking *a = asking_of(ss, HOME_PRESENCE_LIST, op->f.room, (hb_str){NULL, 0});
    a->op = op;
    a->req.limit = op->chain.ev.presence.limit;
    a->req.back = on_listed;
    home_send(ss->s, &a->req);
}

static void on_set(struct home_req *req)
{
    struct asking *a = container_of(req, struct asking, req);
    struct session *ss = req->at ? op_session(a->op) : NULL;
    if (!ss)
        op_free(a->op);
    else if (req->code != HB_OK)
        fail(ss, a->op, req->code, HB_STR("presence data can't be kept now"));
    else
        ask_list(ss, a->op);
    destroy(a);
}

static void ask_set(struct session *ss, struct op *op, struct membership *m)
{
    struct asking *a = asking_of_member(ss, m, HOME_PRESENCE_SET, op->f.data);
    if (!a) {
        fail(ss, op, HB_UNAVAILABLE, HB_STR("out of memory"));
        return;
    }
    m->present = true;
    a->op = op;
    a->req.back = on_set;
    home_send(ss->s, &a->req);
}

static void on_asked(struct chain *c, hb_verdict verdict)
{
    struct op *op = container_of(c, struct op, chain);
    struct session *ss = op_session(op);
    struct membership *m = ss ? session_membership(ss, op->f.room) : NULL;
    if (!ss) {
        op_free(op);
    } else if (verdict == HB_DENY) {
        op_denied(ss, op);
        op_done(ss, op);
    } else if (verdict == HB_NEXT || !m) {
        fail(ss, op, HB_NOT_FOUND, HB_STR("this room has no presence"));
    } else if (op->f.data.p && !ss->user) {
        fail(ss, op, HB_UNAUTHORIZED, HB_STR("presence data belong to a user"));
    } else if (op->f.data.p) {
        ask_set(ss, op, m);
    } else {
        ask_list(ss, op);
    }
}

void op_run_presence(struct session *ss, struct op *op)
{
    const struct membership *m = session_membership(ss, op->f.room);
    if (!m || !m->joined) {
        fail(ss, op, op_refusal(ss), HB_STR("presence is for members"));
        return;
    }
    if (!rule_of(ss->s, op->f.room)) {
        fail(ss, op, HB_NOT_FOUND, HB_STR("this room has no presence"));
        return;
    }
    chain_init(&op->chain, ss->s, ss->sid, HOOK_PRESENCE, on_asked);
    op->chain.ev.presence = (hb_presence){.session = (hb_session *)ss, .room = op->f.room,
        .data = op->f.data};
    chain_run(&op->chain);
}
