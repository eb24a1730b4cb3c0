#include "router/hooks.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "router/op.h"
#include "router/visit.h"
#include <stdlib.h>
#include <string.h>

/* A copy of a hook's string, freed with the chain. */
struct owned {
    struct owned *next;
    char bytes[];
};

struct ticket_slot {
    struct hooks_shard *h;
    struct chain *chain;   /* NULL: free */
    uint32_t generation;
    uint32_t next_free;    /* slot + 1 */
    struct timer deadline;
};

struct hooks_shard {
    struct shard *s;
    struct ticket_slot **slots; /* grows; each keeps its address */
    uint32_t n, cap, first_free; /* first_free: slot + 1 */
};

/* A completion on its way to the worker. */
struct completion {
    struct mail mail;
    uint64_t handle;
    hb_verdict verdict;
    hb_outcome out;        /* strings in `bytes` */
    char bytes[];
};

enum { TICKETS_MAX = 1 << 20 };

static struct hub *process; /* set before any module runs; for completions from foreign threads */

struct hooks_shard *hooks_create(struct shard *s)
{
    struct hooks_shard *h = mem_zalloc(sizeof(*h));
    h->s = s;
    __atomic_store_n(&process, s->hub, __ATOMIC_RELEASE);
    return h;
}

void hooks_destroy(struct hooks_shard *h)
{
    if (!h)
        return;
    for (uint32_t i = 0; i < h->n; i++) {
        timer_cancel(&h->s->wheel, &h->slots[i]->deadline);
        free(h->slots[i]);
    }
    free(h->slots);
    free(h);
}

struct hub *hooks_hub(void)
{
    return __atomic_load_n(&process, __ATOMIC_ACQUIRE);
}

struct shard *hooks_shard(const hb_ctx *ctx)
{
    const struct hub *hub = hooks_hub();
    return hub->shards[ctx->worker < 0 ? hub->n_workers : ctx->worker];
}

/* --- outcomes ---------------------------------------------------------------------------------- */

static hb_str own(struct chain *c, hb_str s)
{
    if (!s.p)
        return s;
    struct owned *o = mem_try_alloc(sizeof(*o) + s.n + 1);
    if (!o)
        return (hb_str){NULL, 0};
    memcpy(o->bytes, s.p, s.n);
    o->bytes[s.n] = '\0';
    o->next = c->owned;
    c->owned = o;
    return (hb_str){o->bytes, s.n};
}

static void merge_str(struct chain *c, hb_str *to, hb_str from)
{
    if (from.p)
        *to = own(c, from);
}

/* Take what this answer says over into the sum. */
static void merge(struct chain *c, const hb_outcome *o)
{
    c->out.code = o->code;
    c->out.retry_after_ms = o->retry_after_ms;
    merge_str(c, &c->out.message, o->message);
    merge_str(c, &c->out.user, o->user);
    merge_str(c, &c->out.rights, o->rights);
    merge_str(c, &c->out.token_id, o->token_id);
    merge_str(c, &c->out.data, o->data);
    if (o->expires_at)
        c->out.expires_at = o->expires_at;
    if (o->issued_at)
        c->out.issued_at = o->issued_at;
    if (c->kind == HOOK_PUBLISH && c->out.data.p)
        c->ev.publish.data = c->out.data;
}

static hb_outcome *scratch_of(struct chain *c)
{
    switch (c->kind) {
    case HOOK_CONNECT:
        return &c->ev.connect.out;
    case HOOK_JOIN:
        return &c->ev.join.out;
    case HOOK_PUBLISH:
        return &c->ev.publish.out;
    case HOOK_PRESENCE:
        return &c->ev.presence.out;
    default:
        return &c->ev.call.out;
    }
}

static void free_slot(struct ticket_slot *t, uint32_t index)
{
    timer_cancel(&t->h->s->wheel, &t->deadline);
    t->chain->ticket = 0;
    t->chain = NULL;
    t->generation++;
    t->next_free = t->h->first_free;
    t->h->first_free = index + 1;
}

/* --- the chain --------------------------------------------------------------------------------- */

void chain_init(struct chain *c, struct shard *s, hb_sid sid, enum hook kind,
    void (*done)(struct chain *, hb_verdict))
{
    memset(c, 0, sizeof(*c));
    c->s = s;
    c->sid = sid;
    c->kind = kind;
    c->done = done;
}

static hb_verdict ask(struct chain *c, const hb_hooks *hooks, const hb_ctx *ctx)
{
    switch (c->kind) {
    case HOOK_CONNECT:
        return hooks->connect ? hooks->connect(ctx, &c->ev.connect) : HB_NEXT;
    case HOOK_JOIN:
        return hooks->join ? hooks->join(ctx, &c->ev.join) : HB_NEXT;
    case HOOK_PUBLISH:
        return hooks->publish ? hooks->publish(ctx, &c->ev.publish) : HB_NEXT;
    case HOOK_PRESENCE:
        return hooks->presence ? hooks->presence(ctx, &c->ev.presence) : HB_NEXT;
    default:
        return hooks->call ? hooks->call(ctx, &c->ev.call) : HB_NEXT;
    }
}

static bool has_hook(const hb_module *m, enum hook kind)
{
    const hb_hooks *h = m->hooks;
    if (!h)
        return false;
    switch (kind) {
    case HOOK_CONNECT:
        return h->connect != NULL;
    case HOOK_JOIN:
        return h->join != NULL;
    case HOOK_PUBLISH:
        return h->publish != NULL;
    case HOOK_PRESENCE:
        return h->presence != NULL;
    default:
        return h->call != NULL;
    }
}

bool hooks_any(const struct hub *hub, enum hook kind)
{
    for (unsigned i = 0; i < hub->n_modules; i++)
        if (has_hook(hub->modules[i].desc, kind))
            return true;
    return false;
}

/* Ask one module, timed. */
static hb_verdict ask_module(struct chain *c, int module)
{
    const struct module_ref *ref = &c->s->hub->modules[module];
    *scratch_of(c) = (hb_outcome){.size = sizeof(hb_outcome)};
    struct visit visit = visit_begin(c->s, module);
    hb_verdict v = ask(c, ref->desc->hooks, &c->s->ctx[module]);
    visit_end(&visit, c->kind);
    return v;
}

static void deny(struct chain *c, hb_code code, hb_str message)
{
    c->out.code = code;
    c->out.message = message;
    c->done(c, HB_DENY);
}

/* A module's user becomes the name of a room, and is told to everybody. */
static bool names_nobody(const struct chain *c, const hb_outcome *o)
{
    if (c->kind != HOOK_CONNECT || !o->user.p || op_room_name(o->user))
        return false;
    log_write(LOG_ERROR, "plugin", "%s names a user that can't be one",
        c->s->hub->modules[c->next - 1].desc->name);
    return true;
}

/* Go on with a verdict; true when the chain is over (and maybe freed). */
static bool apply(struct chain *c, hb_verdict v)
{
    if (v == HB_ALLOW && names_nobody(c, scratch_of(c))) {
        deny(c, HB_INTERNAL, HB_STR("The user's name can't be one"));
        return true;
    }
    if (v == HB_NEXT && !(c->kind == HOOK_PUBLISH && c->ev.publish.out.data.p))
        return false; /* who rewrites a publish need not have an opinion on it */
    merge(c, scratch_of(c));
    c->allowed |= v == HB_ALLOW;
    if (v != HB_DENY)
        return false;
    c->done(c, HB_DENY);
    return true;
}

static void go_on(struct chain *c)
{
    while (c->next < (int)c->s->hub->n_modules) {
        int module = c->next++;
        if (!has_hook(c->s->hub->modules[module].desc, c->kind))
            continue;
        hb_verdict v = ask_module(c, module);
        if (v == HB_LATER && c->ticket)
            return;
        if (v == HB_LATER) {
            deny(c, HB_INTERNAL, HB_STR("a plugin gave no answer"));
            return;
        }
        if (c->ticket) /* taken, but not used */
            free_slot(c->s->hooks->slots[c->ticket - 1], c->ticket - 1);
        if (apply(c, v))
            return;
    }
    c->done(c, c->allowed ? HB_ALLOW : HB_NEXT);
}

void chain_run(struct chain *c)
{
    go_on(c);
}

/* --- tickets ----------------------------------------------------------------------------------- */

void chain_finish(struct chain *c)
{
    if (c->ticket)
        free_slot(c->s->hooks->slots[c->ticket - 1], c->ticket - 1);
    while (c->owned) {
        struct owned *o = c->owned;
        c->owned = o->next;
        free(o);
    }
}

static void on_deadline(struct timer *timer)
{
    struct ticket_slot *t = container_of(timer, struct ticket_slot, deadline);
    struct chain *c = t->chain;
    log_write(LOG_WARN, "late-plugin", "plugin=%s did not answer in time",
        c->s->hub->modules[c->next - 1].desc->name);
    free_slot(t, c->ticket - 1);
    deny(c, HB_UNAVAILABLE, HB_STR("no answer in time"));
}

static struct ticket_slot *take_slot(struct hooks_shard *h, uint32_t *index)
{
    if (h->first_free) {
        *index = h->first_free - 1;
        h->first_free = h->slots[*index]->next_free;
        return h->slots[*index];
    }
    if (h->n == TICKETS_MAX)
        return NULL;
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->slots = mem_realloc(h->slots, h->cap * sizeof(struct ticket_slot *));
    }
    struct ticket_slot *t = mem_zalloc(sizeof(*t));
    t->h = h;
    t->generation = 1;
    timer_init(&t->deadline, on_deadline);
    *index = h->n;
    h->slots[h->n++] = t;
    return t;
}

/* A handle that names a ticket without pointing at it: worker, slot, generation. */
static uint64_t handle_of(int worker, uint32_t slot, uint32_t generation)
{
    return (uint64_t)(worker + 1) << 54 | (uint64_t)slot << 32 | generation;
}

hb_ticket *hooks_later(const hb_ctx *ctx, void *ev)
{
    struct chain *c = container_of(ev, struct chain, ev);
    uint32_t index;
    if (c->ticket)
        return NULL;
    struct ticket_slot *t = take_slot(c->s->hooks, &index);
    if (!t)
        return NULL;
    t->chain = c;
    c->ticket = index + 1;
    timer_set(&c->s->wheel, &t->deadline, clock_mono_ms() + (uint64_t)c->s->config->limits.hook_time_ms);
    return (hb_ticket *)(uintptr_t)handle_of(c->s->index, index, t->generation);
}

static void on_completion(struct mail *mail, void *receiver)
{
    struct completion *done = container_of(mail, struct completion, mail);
    struct shard *s = receiver;
    uint32_t slot = (uint32_t)(done->handle >> 32) & (TICKETS_MAX * 2 - 1);
    struct ticket_slot *t = slot < s->hooks->n ? s->hooks->slots[slot] : NULL;
    if (t && t->chain && t->generation == (uint32_t)done->handle) {
        struct chain *c = t->chain;
        free_slot(t, slot);
        *scratch_of(c) = done->out;
        if (!s->hub->session_ops->outbox_of(s, c->sid))
            c->done(c, HB_DENY);
        else if (!apply(c, done->verdict))
            go_on(c);
    }
    free(done);
}

static void discard_completion(struct mail *mail)
{
    free(container_of(mail, struct completion, mail));
}

static hb_str pack(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = *at;
    memcpy(p, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

/* What a module built when the struct was shorter does not say is absent. */
static hb_outcome outcome_of(const hb_outcome *from)
{
    hb_outcome o = {.size = sizeof(o)};
    if (from)
        memcpy(&o, from, from->size < sizeof(o) ? from->size : sizeof(o));
    return o;
}

void hooks_complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    struct hub *hub = hooks_hub();
    uint64_t handle = (uint64_t)(uintptr_t)ticket;
    int worker = (int)(handle >> 54) - 1;
    if (!ticket || !hub || worker >= hub->n_workers)
        return;
    hb_outcome o = outcome_of(outcome);
    size_t n = o.message.n + o.user.n + o.rights.n + o.token_id.n + o.data.n;
    struct completion *done = mem_alloc(sizeof(*done) + n);
    char *at = done->bytes;
    done->mail = (struct mail){.deliver = on_completion, .discard = discard_completion};
    done->handle = handle;
    done->verdict = verdict == HB_LATER ? HB_DENY : verdict;
    done->out = o;
    done->out.message = pack(&at, o.message);
    done->out.user = pack(&at, o.user);
    done->out.rights = pack(&at, o.rights);
    done->out.token_id = pack(&at, o.token_id);
    done->out.data = pack(&at, o.data);
    shard_post(hub, worker, &done->mail);
}

/* --- events without a verdict -------------------------------------------------------------------- */

#define EACH_HOOK(s, kind, hook, ...)                                       \
    for (unsigned i = 0; i < (s)->hub->n_modules; i++) {                    \
        const hb_hooks *h = (s)->hub->modules[i].desc->hooks;               \
        if (!h || !h->hook)                                                 \
            continue;                                                       \
        struct visit visit = visit_begin(s, (int)i);                        \
        h->hook(&(s)->ctx[i], __VA_ARGS__);                                 \
        visit_end(&visit, kind);                                            \
    }

void hooks_opened(struct shard *s, hb_session *session)
{
    EACH_HOOK(s, HOOK_OPENED, opened, session)
}

void hooks_authenticated(struct shard *s, hb_session *session, bool refresh)
{
    EACH_HOOK(s, HOOK_AUTHENTICATED, authenticated, session, refresh)
}

void hooks_closed(struct shard *s, hb_session *session, hb_end why)
{
    EACH_HOOK(s, HOOK_CLOSED, closed, session, why)
}

void hooks_joined(struct shard *s, hb_session *session, hb_str room, hb_str data)
{
    EACH_HOOK(s, HOOK_JOINED, joined, session, room, data)
}

void hooks_left(struct shard *s, hb_session *session, hb_str room, bool at_once)
{
    EACH_HOOK(s, HOOK_LEFT, left, session, room, at_once)
}

void hooks_published(struct shard *s, hb_session *session, hb_str room, hb_str event, hb_str data)
{
    EACH_HOOK(s, HOOK_PUBLISHED, published, session, room, event, data)
}

void hooks_presence_changed(struct shard *s, const hb_presence_event *ev)
{
    EACH_HOOK(s, HOOK_PRESENCE_CHANGED, presence_changed, ev)
}

void hooks_entered(struct shard *s, hb_session *session, hb_str space, hb_str data)
{
    EACH_HOOK(s, HOOK_ENTERED, entered, session, space, data)
}
