/*
 * rate-limit: how fast sessions, users, addresses, rooms and events may go. A hook makes a demand
 * of what it is asked, judge.c holds it against the rules, and this file says what comes of it:
 * pass, hold back, refuse, or close with 4029.
 */
#include "address.h"
#include "judge.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct limiter {
    struct table *table; /* owned; shared by all workers */
    struct hash_secret secret;
    int64_t buckets;      /* as the table was made */
    int delayed, evicted; /* metrics */
};

struct local {
    unsigned version;   /* of the options: one more with each reload */
    struct rules rules; /* of ctx->options */
    struct judge judge;
};

/* A session's slot: nothing yet, a struct state, or one of these. */
static char counted, over;
#define COUNTED ((void *)&counted) /* as a connect; it has sent nothing yet */
#define OVER ((void *)&over)       /* closed: keeps no state any more */

/* ---- Whose. */

static uint64_t hash_str(const hb_ctx *ctx, hb_str s)
{
    const struct limiter *l = ctx->self;
    return s.p ? hash_bytes(&l->secret, s.p, s.n) : 0;
}

static uint64_t hash_address(const hb_ctx *ctx, hb_str remote)
{
    const struct limiter *l = ctx->self;
    const struct options *o = ctx->options;
    struct address a = address_network(remote, (int)o->ipv4_prefix, (int)o->ipv6_prefix);
    return hash_bytes(&l->secret, a.bytes, a.n);
}

static hb_session_info info_of(const hb_ctx *ctx, const hb_session *session)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    return info;
}

/* Who has no user counts by address: more sessions don't help. */
static void identify(const hb_ctx *ctx, const hb_session *session, struct demand *d)
{
    hb_session_info info = info_of(ctx, session);
    d->sid = info.sid;
    d->ip = hash_address(ctx, info.remote);
    d->user = info.user.p ? hash_str(ctx, info.user) : d->ip;
}

/* The session's state, made at its first op; NULL without memory, or when it is over. */
static struct state *state_of(const hb_ctx *ctx, hb_session *session)
{
    void **slot = ctx->host->session_slot(ctx, session);
    if (*slot == OVER)
        return NULL;
    if (!*slot || *slot == COUNTED) {
        struct state *s = state_create(info_of(ctx, session).sid);
        if (!s)
            return NULL;
        *slot = s;
    }
    return *slot;
}

static void identify_state(
    const hb_ctx *ctx, const hb_session *session, struct state *s, struct demand *d)
{
    const struct local *local = ctx->local;
    if (s->version != local->version) {
        identify(ctx, session, d);
        s->ip = d->ip;
        s->user = d->user;
        s->version = local->version;
    }
    d->sid = s->sid;
    d->ip = s->ip;
    d->user = s->user;
}

/* ---- What comes of it. */

static int64_t to_ms(uint64_t ns)
{
    return (int64_t)((ns + 999999) / 1000000);
}

static struct judgement judge(const hb_ctx *ctx, struct state *s, const struct demand *d)
{
    const struct limiter *l = ctx->self;
    const struct local *local = ctx->local;
    struct judgement j = judge_demand(&local->judge, s, d, ctx->host->now_ms() * 1000000);
    if (j.evicted)
        ctx->host->count(ctx, l->evicted, j.evicted);
    return j;
}

static void end(const hb_ctx *ctx, struct state *s)
{
    if (!s->ending)
        ctx->host->session_kick(ctx, s->sid, HB_END_RATE, HB_STR("rate limit"));
    s->ending = true;
}

/* No bucket can ever hold so much: to come again later would not help. */
static hb_verdict refuse_size(hb_outcome *out)
{
    out->code = HB_TOO_LARGE;
    out->message = HB_STR("Larger than what may be sent at once");
    return HB_DENY;
}

static hb_verdict refuse(const struct judgement *j, hb_outcome *out, hb_str message)
{
    out->code = HB_RATE_LIMITED;
    out->message = message;
    out->retry_after_ms = to_ms(j->wait_ns);
    return HB_DENY;
}

/* One too many of an open session. */
static hb_verdict strike(const hb_ctx *ctx, struct state *s, const struct judgement *j,
    hb_outcome *out, enum demand_kind kind)
{
    if (++s->strikes >= j->rule->strikes || j->rule->action == ACTION_CLOSE)
        end(ctx, s);
    return refuse(j, out,
        kind == KIND_JOIN      ? HB_STR("Too many joins")
        : kind == KIND_REFRESH ? HB_STR("Too many tokens")
                               : HB_STR("Too many messages"));
}

static void release(const hb_ctx *ctx, struct state *s, hb_verdict verdict)
{
    hb_ticket *ticket = s->ticket;
    s->ticket = NULL;
    if (ticket)
        ctx->host->complete(ticket, verdict, NULL);
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    release(ctx, t->owner, HB_NEXT);
}

/* The tokens are taken; what they are for waits until they have come. A session's ops go one at a
 * time, so there is one answer to put off, unless the host has given up on it. */
static hb_verdict hold_back(const hb_ctx *ctx, struct state *s, const struct judgement *j, void *ev)
{
    const struct limiter *l = ctx->self;
    release(ctx, s, HB_DENY);
    s->ticket = ctx->host->later(ctx, ev);
    if (!s->ticket)
        return HB_DENY;
    s->timer.fire = on_timer;
    s->timer.owner = s;
    ctx->host->timer_set(ctx, &s->timer, (uint64_t)to_ms(j->wait_ns));
    ctx->host->count(ctx, l->delayed, 1);
    return HB_LATER;
}

static hb_verdict decide(
    const hb_ctx *ctx, hb_session *session, struct demand *d, hb_outcome *out, void *ev)
{
    const struct rules *rules = &((const struct local *)ctx->local)->rules;
    if (!(rules->kinds & d->kind))
        return HB_NEXT;
    struct state *s = state_of(ctx, session);
    if (!s) {
        out->code = HB_UNAVAILABLE;
        return HB_DENY;
    }
    if (rules->per & (PER_USER | PER_IP))
        identify_state(ctx, session, s, d);
    d->sid = s->sid;
    d->room = rules->per & PER_ROOM ? hash_str(ctx, d->room_name) : 0;
    d->event = rules->per & PER_EVENT ? hash_str(ctx, d->event_name) : 0;
    struct judgement j = judge(ctx, s, d);
    if (j.answer == BUCKET_NEVER)
        return refuse_size(out);
    if (j.answer == BUCKET_EMPTY)
        return strike(ctx, s, &j, out, d->kind);
    s->strikes = 0;
    return j.wait_ns ? hold_back(ctx, s, &j, ev) : HB_NEXT;
}

/* ---- Hooks. */

static hb_verdict on_publish(const hb_ctx *ctx, hb_publish *ev)
{
    struct demand d = {
        .kind = KIND_PUBLISH, .room_name = ev->room, .event_name = ev->event, .bytes = ev->data.n};
    return decide(ctx, ev->session, &d, &ev->out, ev);
}

static hb_verdict on_call(const hb_ctx *ctx, hb_call *ev)
{
    struct demand d = {.kind = KIND_CALL, .event_name = ev->event, .bytes = ev->data.n};
    return decide(ctx, ev->session, &d, &ev->out, ev);
}

static hb_verdict on_join(const hb_ctx *ctx, hb_join *ev)
{
    struct demand d = {.kind = KIND_JOIN, .room_name = ev->room, .bytes = ev->data.n};
    return decide(ctx, ev->session, &d, &ev->out, ev);
}

/* A token for a session that is there: cheap to send and dear to verify. */
static hb_verdict on_refresh(const hb_ctx *ctx, hb_connect *ev)
{
    struct demand d = {.kind = KIND_REFRESH};
    if (*ctx->host->session_slot(ctx, ev->session) == OVER)
        return HB_NEXT;
    return decide(ctx, ev->session, &d, &ev->out, ev);
}

/* Once for a session: it asks again when its credentials come by the op `auth`. */
static hb_verdict on_connect(const hb_ctx *ctx, hb_connect *ev)
{
    void **slot = ctx->host->session_slot(ctx, ev->session);
    if (ev->refresh)
        return on_refresh(ctx, ev);
    if (*slot)
        return HB_NEXT;
    *slot = COUNTED;
    struct demand d = {.kind = KIND_CONNECT, .ip = hash_address(ctx, ev->remote)};
    struct judgement j = judge(ctx, NULL, &d);
    return j.answer == BUCKET_TAKEN ? HB_NEXT
                                    : refuse(&j, &ev->out, HB_STR("Too many connections"));
}

static void on_opened(const hb_ctx *ctx, hb_session *session)
{
    const struct local *local = ctx->local;
    struct demand d = {.kind = KIND_OPENED};
    if (!(local->rules.kinds & KIND_OPENED))
        return;
    identify(ctx, session, &d);
    if (judge(ctx, NULL, &d).answer != BUCKET_TAKEN)
        ctx->host->session_kick(
            ctx, d.sid, HB_END_RATE, HB_STR("too many connections of this user"));
}

/* Who came without a user counts as that user's connect now. */
static void on_authenticated(const hb_ctx *ctx, hb_session *session, bool refresh)
{
    void **slot = ctx->host->session_slot(ctx, session);
    if (refresh)
        return;
    if (*slot && *slot != COUNTED && *slot != OVER)
        ((struct state *)*slot)->version = 0;
    on_opened(ctx, session);
}

static void on_closed(const hb_ctx *ctx, hb_session *session, hb_end why)
{
    void **slot = ctx->host->session_slot(ctx, session);
    struct state *s = *slot == COUNTED || *slot == OVER ? NULL : *slot;
    *slot = OVER;
    if (!s)
        return;
    ctx->host->timer_cancel(ctx, &s->timer);
    release(ctx, s, HB_DENY);
    state_destroy(s);
}

/* ---- Life of the module. */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    struct rules rules;
    return rules_make(options, &rules, error, error_size) ? 0 : -1;
}

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    const struct options *o = ctx->options;
    if (check(ctx->host, o, error, error_size))
        return -1;
    struct limiter *l = calloc(1, sizeof(*l));
    if (l)
        l->table = table_create((size_t)o->buckets);
    if (!l || !l->table || getrandom(&l->secret, sizeof(l->secret), 0) != sizeof(l->secret)) {
        snprintf(error, error_size, "no memory for %lld buckets", (long long)o->buckets);
        if (l)
            table_destroy(l->table);
        free(l);
        return -1;
    }
    l->buckets = o->buckets;
    l->delayed = ctx->host->metric(ctx, "hubbub_rate_limit_delayed_total",
        "Ops that were held back until their tokens came.", NULL, true);
    l->evicted = ctx->host->metric(ctx, "hubbub_rate_limit_evicted_total",
        "Buckets in use that a newcomer took over: more would be needed.", NULL, true);
    *self = l;
    return 0;
}

static void reload(const hb_ctx *ctx)
{
    const struct limiter *l = ctx->self;
    const struct options *o = ctx->options;
    if (o->buckets != l->buckets)
        ctx->host->log(ctx, HB_LOG_WARN, "reload", "rate-limit: `buckets` changes with a restart");
}

static void finish(const hb_ctx *ctx)
{
    struct limiter *l = ctx->self;
    table_destroy(l->table);
    free(l);
}

static void worker_reload(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    char ignored[128]; /* check passed */
    local->version++;
    rules_make(ctx->options, &local->rules, ignored, sizeof(ignored));
}

static int worker_init(const hb_ctx *ctx, void **out)
{
    const struct limiter *l = ctx->self;
    struct local *local = calloc(1, sizeof(*local));
    if (!local)
        return -1;
    char ignored[128];
    rules_make(ctx->options, &local->rules, ignored, sizeof(ignored));
    local->version = 1;
    local->judge = (struct judge){&local->rules, l->table, &l->secret};
    *out = local;
    return 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    free(ctx->local);
}

static const hb_hooks hooks = {.size = sizeof(hb_hooks),
    .connect = on_connect,
    .join = on_join,
    .publish = on_publish,
    .call = on_call,
    .opened = on_opened,
    .closed = on_closed,
    .authenticated = on_authenticated};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {
    HB_MODULE("rate-limit", HB_VERSION),
    .description = "Token buckets per session, user, address, room and event",
    .options = options_table,
    .options_size = sizeof(struct options),
    .session_slot = true,
    .hooks = &hooks,
    .check = check,
    .init = init,
    .reload = reload,
    .finish = finish,
    .worker_init = worker_init,
    .worker_finish = worker_finish,
    .worker_reload = worker_reload,
};
