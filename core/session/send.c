#include "session/send.h"
#include "base/check.h"
#include "base/clock.h"
#include "out/encode.h"
#include "out/msg.h"
#include "router/hooks.h"
#include "router/visit.h"
#include "session/registry.h"
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, ASKS_MAX = 65535 /* of one session */ };

/* An answer that is waited for. */
struct ask {
    struct timer timer;
    struct shard *s;
    hb_sid sid;             /* 0: free */
    uint32_t slot, generation;
    uint32_t next_free;     /* slot + 1 */
    int module;
    void (*answered)(const hb_ctx *ctx, hb_code code, hb_str data, void *arg);
    void *arg;
};

struct asks {
    struct ask **slots;     /* made when first used, kept */
    uint32_t n, cap, first_free;
};

/* --- asks -------------------------------------------------------------------------------------- */

static void settle(struct ask *a, hb_code code, hb_str data)
{
    const hb_ctx *ctx = &a->s->ctx[a->module];
    struct session *ss = session_find(a->s, a->sid);
    if (ss)
        ss->n_asks--;
    timer_cancel(&a->s->wheel, &a->timer);
    a->sid = 0;
    a->generation++;
    a->next_free = a->s->registry->asks->first_free;
    a->s->registry->asks->first_free = a->slot + 1;
    struct visit visit = visit_begin(a->s, (int)a->module);
    a->answered(ctx, code, data, a->arg);
    visit_end(&visit, HOOK_COUNT);
}

static void on_timeout(struct timer *t)
{
    settle(container_of(t, struct ask, timer), HB_UNAVAILABLE, (hb_str){NULL, 0});
}

static struct ask *take_slot(struct registry *r)
{
    if (!r->asks)
        r->asks = mem_zalloc(sizeof(*r->asks));
    struct asks *all = r->asks;
    if (all->first_free) {
        struct ask *free = all->slots[all->first_free - 1];
        all->first_free = free->next_free;
        return free;
    }
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 8;
        all->slots = mem_realloc(all->slots, all->cap * sizeof(*all->slots));
    }
    struct ask *a = mem_zalloc(sizeof(*a));
    timer_init(&a->timer, on_timeout);
    a->slot = all->n;
    a->generation = 1;
    all->slots[all->n++] = a;
    return a;
}

static uint64_t ask_begin(struct session *ss, int module, const hb_send *what)
{
    struct ask *a = take_slot(ss->s->registry);
    int64_t timeout = what->timeout_ms > 0 ? what->timeout_ms : TIMEOUT_MS;
    a->s = ss->s;
    a->sid = ss->sid;
    a->module = module;
    a->answered = what->answered;
    a->arg = what->arg;
    ss->n_asks++;
    timer_set(&ss->s->wheel, &a->timer, clock_mono_ms() + (uint64_t)timeout);
    return (uint64_t)a->generation << 32 | a->slot;
}

static struct ask *ask_find(const struct session *ss, uint64_t id)
{
    const struct asks *all = ss->s->registry->asks;
    struct ask *a = all && (uint32_t)id < all->n ? all->slots[(uint32_t)id] : NULL;
    return a && a->sid == ss->sid && a->generation == (uint32_t)(id >> 32) ? a : NULL;
}

void net_answer(hb_session *session, uint64_t id, hb_str data)
{
    struct ask *a = ask_find((struct session *)session, id);
    if (a)
        settle(a, HB_OK, data);
}

void asks_abandon(struct session *ss)
{
    const struct asks *all = ss->s->registry->asks;
    for (uint32_t i = 0; ss->n_asks > 0 && i < all->n; i++)
        if (all->slots[i]->sid == ss->sid)
            settle(all->slots[i], HB_UNAVAILABLE, (hb_str){NULL, 0});
}

void asks_destroy(struct asks *all)
{
    for (uint32_t i = 0; all && i < all->n; i++)
        free(all->slots[i]);
    if (all)
        free(all->slots);
    free(all);
}

/* --- telling ------------------------------------------------------------------------------------ */

struct letter {
    struct mail mail;
    hb_sid sid;             /* 0: each session of the worker */
    hb_event_kind kind;     /* MESSAGE or EXIT */
    int module;
    hb_send what;           /* strings in `bytes` */
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

static void tell_one(struct session *ss, const struct letter *l)
{
    hb_event ev;
    to_event(l, &ev);
    if (!l->what.answered) {
        session_event(ss, &ev);
        return;
    }
    const hb_transport *t = session_transport(ss);
    ev.ask = ask_begin(ss, l->module, &l->what);
    if (t->event && t->event(session_ctx(ss), ss->conn, &ev))
        return;
    struct ask *a = ask_find(ss, ev.ask);
    if (a)
        settle(a, HB_NOT_FOUND, (hb_str){NULL, 0});
}

struct round {
    const struct letter *letter;
    const hb_event *ev;
    struct frame *forms[WIRES_MAX]; /* encoded once each */
    bool made[WIRES_MAX];
};

/* As session_event, but the form is shared. */
static void tell_each(struct session *ss, void *arg)
{
    struct round *r = arg;
    unsigned wire = ss->out.wire;
    const hb_transport *t = session_transport(ss);
    if (ss->state != SESSION_OPEN || !ss->announced || !can_reach(ss, r->letter) ||
        (t->event && t->event(session_ctx(ss), ss->conn, r->ev)))
        return;
    if (!r->made[wire])
        r->forms[wire] = encode_event(ss->s, wire, r->ev);
    r->made[wire] = true;
    outbox_push(ss->s, &ss->out, r->forms[wire]);
}

static void tell_all(struct shard *s, const struct letter *l)
{
    hb_event ev;
    struct round r = {.letter = l, .ev = &ev};
    to_event(l, &ev);
    registry_each(s, tell_each, &r);
    for (unsigned i = 0; i < s->hub->n_wires; i++)
        frame_unref(r.forms[i]);
}

static void refuse(struct shard *s, const struct letter *l)
{
    if (!l->what.answered)
        return;
    struct visit visit = visit_begin(s, (int)l->module);
    l->what.answered(&s->ctx[l->module], HB_NOT_FOUND, (hb_str){NULL, 0}, l->what.arg);
    visit_end(&visit, HOOK_COUNT);
}

static void on_letter(struct mail *mail, void *receiver)
{
    struct letter *l = container_of(mail, struct letter, mail);
    struct session *ss = l->sid ? session_find(receiver, l->sid) : NULL;
    if (!l->sid)
        tell_all(receiver, l);
    else if (ss && ss->state == SESSION_OPEN && can_reach(ss, l) && ss->n_asks < ASKS_MAX)
        tell_one(ss, l);
    else
        refuse(receiver, l);
    free(l);
}

static void discard(struct mail *mail)
{
    free(container_of(mail, struct letter, mail));
}

static hb_str put(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = memcpy(*at, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

/* NULL when memory is out. */
static struct letter *write_letter(hb_sid sid, hb_event_kind kind, int module, const hb_send *what)
{
    hb_str data = what->data.p || kind != HB_EV_MESSAGE ? what->data : HB_STR("null");
    struct letter *l = mem_try_alloc(sizeof(*l) + what->space.n + what->event.n + data.n);
    if (!l)
        return NULL;
    char *at = l->bytes;
    *l = (struct letter){.mail = {.deliver = on_letter, .discard = discard}, .sid = sid, .kind = kind,
        .module = module};
    memcpy(&l->what, what, what->size < sizeof(*what) ? what->size : sizeof(*what));
    l->what.space = put(&at, what->space);
    l->what.event = put(&at, what->event);
    l->what.data = put(&at, data);
    return l;
}

static int module_of(const struct hub *hub, const hb_ctx *ctx)
{
    return (int)(ctx - hub->shards[ctx->worker < 0 ? hub->n_workers : ctx->worker]->ctx);
}

static void send_letter(const hb_ctx *ctx, hb_sid sid, hb_event_kind kind, const hb_send *what)
{
    struct hub *hub = hooks_hub();
    int worker = sid_worker(sid);
    if (!hub || worker < 0 || worker >= hub->n_workers)
        return;
    struct letter *l = write_letter(sid, kind, module_of(hub, ctx), what);
    if (l)
        shard_post(hub, worker, &l->mail);
}

void send_to_all(struct hub *hub, hb_str space, hb_str event, hb_str data)
{
    hb_send what = {.size = sizeof(what), .space = space, .event = event, .data = data};
    for (int w = 0; w < hub->n_workers; w++) {
        struct letter *l = write_letter(0, HB_EV_MESSAGE, 0, &what);
        if (l)
            shard_post(hub, w, &l->mail);
    }
}

void host_session_send(const hb_ctx *ctx, hb_sid sid, const hb_send *what)
{
    if (sid)
        send_letter(ctx, sid, HB_EV_MESSAGE, what);
    else if (hooks_hub())
        send_to_all(hooks_hub(), what->space, what->event, what->data);
}

void host_session_exit(const hb_ctx *ctx, hb_sid sid, hb_str space)
{
    send_letter(ctx, sid, HB_EV_EXIT, &(hb_send){.size = sizeof(hb_send), .space = space});
}

void net_enter(hb_session *session, hb_str space, hb_str data)
{
    struct session *ss = (struct session *)session;
    if (ss->announced && ss->state == SESSION_OPEN)
        hooks_entered(ss->s, session, space, data);
}
