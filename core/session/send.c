#include "session/send.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "out/encode.h"
#include "out/msg.h"
#include "router/hooks.h"
#include "router/visit.h"
#include "session/cluster.h"
#include "session/registry.h"
#include "session/survey.h"
#include <stdlib.h>
#include <string.h>

enum { EVENT_BYTES = 128, ROOM_BYTES = 129 /* with '@' */, SPACE_BYTES = 128 };

/* What one worker is to tell one session or many. */
struct letter {
    struct mail mail;
    hb_sid sid;             /* 0: many */
    hb_event_kind kind;     /* MESSAGE or EXIT */
    int module;
    hb_send what;           /* strings in `bytes` */
    int shard;              /* of the survey to which the answers of many go */
    uint64_t survey;        /* 0: none */
    char bytes[];
};

static void to_event(const struct letter *l, hb_event *ev)
{
    event_init(ev, l->kind);
    ev->space = l->what.space;
    ev->event = l->what.event;
    ev->data = l->what.data;
    ev->server = true;
    if (l->kind == HB_EV_MESSAGE)
        ev->ts = clock_wall_ms();
}

/* A transport that looks at its events knows of spaces; the others have the main one only. */
static bool can_reach(const struct session *ss, const struct letter *l)
{
    return !l->what.space.p || session_transport(ss)->event;
}

/* --- one session ---------------------------------------------------------------------------------- */

static void tell_module(struct shard *s, const struct asker *who, hb_code code, hb_str data)
{
    struct visit visit = visit_begin(s, who->module);
    who->answered(&s->ctx[who->module], code, data, who->arg);
    visit_end(&visit, HOOK_COUNT);
}

static struct asker asker_of(const struct letter *l)
{
    return (struct asker){.done = tell_module, .module = l->module, .answered = l->what.answered, .arg = l->what.arg};
}

static void tell_one(struct shard *s, struct session *ss, const struct letter *l)
{
    struct asker who = asker_of(l);
    hb_event ev;
    to_event(l, &ev);
    if (!ss || ss->state != SESSION_OPEN || !can_reach(ss, l)) {
        if (l->what.answered)
            tell_module(s, &who, HB_NOT_FOUND, (hb_str){NULL, 0});
    } else if (l->what.answered) {
        ask_session(ss, &ev, &who, l->what.timeout_ms);
    } else {
        session_event(ss, &ev);
    }
}

/* --- many: on one worker ----------------------------------------------------------------------------- */

struct round {
    const struct letter *letter;
    const hb_event *ev;
    struct portion *portion;        /* NULL: no answers are wanted */
    struct frame *forms[WIRES_MAX]; /* encoded once each */
    bool made[WIRES_MAX];
};

/* As session_event, but the form is shared. */
static void tell_each(struct session *ss, void *arg)
{
    struct round *r = arg;
    unsigned wire = ss->out.wire;
    const hb_transport *t = session_transport(ss);
    if (ss->state != SESSION_OPEN || !ss->announced || ss->sid == r->letter->what.except ||
        !can_reach(ss, r->letter) ||
        (r->portion && portion_ask(r->portion, ss, r->ev, r->letter->what.timeout_ms)) ||
        (t->event && t->event(session_ctx(ss), ss->conn, r->ev)))
        return;
    if (!r->made[wire])
        r->forms[wire] = encode_event(ss->s, wire, r->ev);
    r->made[wire] = true;
    outbox_push(ss->s, &ss->out, r->forms[wire]);
}

static void tell_if_member(struct session *ss, void *arg)
{
    const struct round *r = arg;
    const struct membership *m = session_membership(ss, r->letter->what.room);
    if (m && m->joined)
        tell_each(ss, arg);
}

static void tell_those_meant(struct shard *s, struct round *r)
{
    hb_str room = r->letter->what.room;
    struct members *members = room.p ? members_find(s, room) : NULL;
    if (!room.p)
        registry_each(s, tell_each, r);
    else if (members && members_all_live(members))
        registry_each_member(s, members, tell_each, r);
    else if (members)
        registry_each(s, tell_if_member, r);
}

static void tell_many(struct shard *s, const struct letter *l)
{
    hb_event ev;
    struct round r = {.letter = l, .ev = &ev};
    to_event(l, &ev);
    if (l->survey)
        r.portion = portion_open(s, l->shard, l->survey);
    tell_those_meant(s, &r);
    if (r.portion)
        portion_close(r.portion);
    for (unsigned i = 0; i < s->hub->n_wires; i++)
        frame_unref(r.forms[i]);
}

/* --- letters ---------------------------------------------------------------------------------------- */

static void on_letter(struct mail *mail, void *receiver)
{
    struct letter *l = container_of(mail, struct letter, mail);
    if (l->sid)
        tell_one(receiver, session_find(receiver, l->sid), l);
    else
        tell_many(receiver, l);
    free(l);
}

static void discard(struct mail *mail)
{
    free(container_of(mail, struct letter, mail));
}

/* NULL when memory is out. */
static struct letter *write_letter(hb_sid sid, hb_event_kind kind, int module, const hb_send *what)
{
    hb_send w = {0};
    memcpy(&w, what, what->size < sizeof(w) ? what->size : sizeof(w));
    if (!w.data.p && kind == HB_EV_MESSAGE)
        w.data = HB_STR("null");
    if (!w.event.p && kind == HB_EV_MESSAGE)
        w.event = HB_STR("message");
    struct letter *l = mem_try_alloc(sizeof(*l) + w.space.n + w.event.n + w.data.n + w.room.n);
    if (!l)
        return NULL;
    char *at = l->bytes;
    *l = (struct letter){.mail = {.deliver = on_letter, .discard = discard}, .sid = sid, .kind = kind,
        .module = module, .what = w};
    l->what.space = str_put(&at, w.space);
    l->what.event = str_put(&at, w.event);
    l->what.data = str_put(&at, w.data);
    l->what.room = str_put(&at, w.room);
    return l;
}

static void send_letter(const hb_ctx *ctx, hb_sid sid, hb_event_kind kind, const hb_send *what)
{
    struct hub *hub = hooks_hub();
    int worker = sid_worker(sid);
    if (!hub || worker < 0 || worker >= hub->n_workers)
        return;
    struct letter *l = write_letter(sid, kind, shard_module(hooks_shard(ctx), ctx), what);
    if (l)
        shard_post(hub, worker, &l->mail);
}

/* --- many: on all workers and nodes --------------------------------------------------------------- */

/* Without an event they are put out of what->space. */
static void send_here(struct hub *hub, const hb_send *what, int shard, uint64_t survey)
{
    for (int w = 0; w < hub->n_workers; w++) {
        struct letter *l = write_letter(0, what->event.p ? HB_EV_MESSAGE : HB_EV_EXIT, 0, what);
        if (!l)
            return;
        l->shard = shard;
        l->survey = survey;
        shard_post(hub, w, &l->mail);
    }
}

static void send_to_nodes(struct hub *hub, const hb_send *what, int32_t shard, uint64_t survey)
{
    uint32_t self = cluster_self(hub);
    hb_str fields[] = {what->event, what->data, what->space, what->room, str_raw(&self, 4), str_raw(&shard, 4),
        str_raw(&survey, 8), str_raw(&what->timeout_ms, 8)};
    cluster_cast(hub, 0, CLUSTER_SEND, fields, survey ? 8 : 4);
}

static void ask_many(struct shard *s, const hb_send *what, const struct asker *who)
{
    uint64_t survey = survey_open(s, who, what->timeout_ms, !what->local && cluster_is(s->hub));
    if (!survey) {
        who->done(s, who, HB_UNAVAILABLE, HB_STR("[]"));
        return;
    }
    send_here(s->hub, what, s->index, survey);
    if (!what->local)
        send_to_nodes(s->hub, what, s->index, survey);
}

static void on_question(struct mail *mail, void *receiver)
{
    struct letter *l = container_of(mail, struct letter, mail);
    struct asker who = asker_of(l);
    ask_many(receiver, &l->what, &who);
    free(l);
}

void send_to_all(struct hub *hub, const hb_send *what)
{
    send_here(hub, what, 0, 0);
    if (!what->local)
        send_to_nodes(hub, what, 0, 0);
}

/* The answers are put together where they are wanted. */
static void send_many(const hb_ctx *ctx, const hb_send *what)
{
    struct hub *hub = hooks_hub();
    struct letter *l = hub ? write_letter(0, HB_EV_MESSAGE, shard_module(hooks_shard(ctx), ctx), what) : NULL;
    if (!l)
        return;
    if (l->what.answered) {
        l->mail.deliver = on_question;
        shard_post(hub, ctx->worker < 0 ? hub->n_workers : ctx->worker, &l->mail);
        return;
    }
    send_to_all(hub, &l->what);
    free(l);
}

void host_session_send(const hb_ctx *ctx, hb_sid sid, const hb_send *what)
{
    if (sid)
        send_letter(ctx, sid, HB_EV_MESSAGE, what);
    else
        send_many(ctx, what);
}

void host_session_exit(const hb_ctx *ctx, hb_sid sid, hb_str space)
{
    const hb_send what = {.size = sizeof(what), .space = space};
    if (sid)
        send_letter(ctx, sid, HB_EV_EXIT, &what);
    else if (hooks_hub())
        send_to_all(hooks_hub(), &what);
}

/* --- what other nodes send to many ---------------------------------------------------------------- */

static void tell_node(struct shard *s, const struct asker *who, hb_code code, hb_str list)
{
    uint32_t self = cluster_self(s->hub);
    char complete = code == HB_OK;
    cluster_cast(s->hub, who->node, CLUSTER_PORTION, (hb_str[]){str_raw(&who->shard, 4), str_raw(&who->number, 8),
        str_raw(&self, 4), {&complete, 1}, str_sub(list, 1, list.n - 2)}, 5);
}

static bool is_valid(const hb_str *f, size_t n)
{
    return (n == 4 || (n == 8 && f[4].n == 4 && f[5].n == 4 && f[6].n == 8 && f[7].n == 8)) &&
        (f[0].p ? f[0].n > 0 && f[0].n <= EVENT_BYTES : n == 4) && f[2].n <= SPACE_BYTES && f[3].n <= ROOM_BYTES &&
        (!f[1].p || json_check(f[1], 66, NULL) == JSON_OK);
}

void cluster_on_send(struct shard *s, const hb_str *f, size_t n)
{
    struct asker who = {.done = tell_node};
    if (!is_valid(f, n))
        return;
    hb_send what = {.size = sizeof(what), .event = f[0], .data = f[1], .space = f[2], .room = f[3], .local = true};
    if (n == 4) {
        send_to_all(s->hub, &what);
        return;
    }
    memcpy(&who.node, f[4].p, 4);
    memcpy(&who.shard, f[5].p, 4);
    memcpy(&who.number, f[6].p, 8);
    memcpy(&what.timeout_ms, f[7].p, 8);
    ask_many(s, &what, &who);
}

/* Values with commas between them, as they were put together there. */
static bool are_values(hb_str values)
{
    struct buf list = BUF_INIT;
    buf_char(&list, '[');
    buf_str(&list, values);
    buf_char(&list, ']');
    bool ok = values.n == 0 || ((unsigned char)values.p[0] > ' ' && json_check(buf_view(&list), 66, NULL) == JSON_OK);
    buf_finish(&list);
    return ok;
}

void cluster_on_portion(struct shard *s, const hb_str *f, size_t n)
{
    int32_t shard;
    uint64_t number;
    uint32_t node;
    if (n != 5 || f[0].n != 4 || f[1].n != 8 || f[2].n != 4 || f[3].n != 1 || !are_values(f[4]))
        return;
    memcpy(&shard, f[0].p, 4);
    memcpy(&number, f[1].p, 8);
    memcpy(&node, f[2].p, 4);
    if (shard >= 0 && shard <= s->hub->n_workers && node != 0)
        survey_add(s->hub, shard, number, node, f[3].p[0] == 1, f[4]);
}

void net_enter(hb_session *session, hb_str space, hb_str data)
{
    struct session *ss = (struct session *)session;
    if (ss->announced && ss->state == SESSION_OPEN)
        hooks_entered(ss->s, session, space, data);
}
