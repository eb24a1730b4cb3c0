/*
 * webhook: the application's own backend, over HTTP, in whatever language. A hook writes its
 * question (question.c), takes a ticket and posts it (pool.c); the answer (answer.c) completes the
 * ticket. What happened goes into the ledger, from which the sender of worker 0 tells it in
 * batches.
 */
#include "answer.h"
#include "question.h"
#include "remember.h"
#include "sender.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_AFTER_MS = 1000 };

struct webhook {
    struct ledger *ledger;
    bool authenticates;         /* as init found it */
    int asked[KIND_COUNT];      /* metrics */
    int pending;                /* a gauge */
    struct sender_metrics metrics;
};

struct local {
    struct setup setup;         /* of ctx->options */
    struct pool *pool;
    struct remember *remember;
    struct sender *sender;      /* worker 0's alone */
};

/* A question that is out. */
struct question {
    hb_ticket *ticket;
    enum kind kind;
    size_t n;
    char credential[];          /* KIND_CONNECT: to be remembered; n 0: not */
};

/* ---- Without an answer. */

static hb_verdict fail(const hb_ctx *ctx, enum kind kind, enum fault fault, hb_outcome *out)
{
    const struct options *o = ctx->options;
    const struct webhook *w = ctx->self;
    ctx->host->count(ctx, w->metrics.failures[fault], 1);
    if (fault == FAULT_STATUS || fault == FAULT_ANSWER)
        ctx->host->log(
            ctx, HB_LOG_WARN, "webhook_answer", "webhook: the backend's answer can't be used");
    else
        ctx->host->log(ctx, HB_LOG_WARN, "webhook_down", "webhook: the backend does not answer");
    if (o->failure[kind] == FAILURE_PASS)
        return HB_NEXT;
    if (o->failure[kind] == FAILURE_ALLOW)
        return HB_ALLOW;
    out->code = HB_UNAVAILABLE;
    out->message = HB_STR("The application does not answer");
    out->retry_after_ms = RETRY_AFTER_MS;
    return HB_DENY;
}

/* ---- Answers. */

static void remember(const hb_ctx *ctx, const struct question *q, const hb_outcome *who)
{
    const struct options *o = ctx->options;
    struct local *local = ctx->local;
    if (q->n && o->remember_ms)
        remember_put(local->remember, (hb_str){q->credential, q->n}, who,
            ctx->host->now_ms() + (uint64_t)o->remember_ms);
}

/* Who it is, is for the module that authenticates to say. */
static void settle_who(const hb_ctx *ctx, const struct question *q, struct answer *a)
{
    const struct webhook *w = ctx->self;
    if (q->kind != KIND_CONNECT || a->verdict != HB_ALLOW)
        return;
    if (w->authenticates)
        remember(ctx, q, &a->out);
    else
        a->out = (hb_outcome){.size = sizeof(a->out)};
}

static void on_answer(const hb_ctx *ctx, void *arg, enum fault fault, int status, hb_str body)
{
    const struct webhook *w = ctx->self;
    struct question *q = arg;
    struct answer a = {.out = {.size = sizeof(a.out)}};
    ctx->host->count(ctx, w->pending, -1);
    if (fault == FAULT_NONE && !answer_read(q->kind, status, body, &a)) {
        fault = status == 200 ? FAULT_ANSWER : FAULT_STATUS;
        a.out = (hb_outcome){.size = sizeof(a.out)};
    }
    if (fault == FAULT_NONE)
        settle_who(ctx, q, &a);
    else
        a.verdict = fail(ctx, q->kind, fault, &a.out);
    ctx->host->complete(q->ticket, a.verdict, &a.out);
    free(q);
}

/* ---- Questions. */

static struct question *create_question(enum kind kind, hb_str credential)
{
    struct question *q = malloc(sizeof(*q) + credential.n);
    if (!q)
        return NULL;
    *q = (struct question){.kind = kind, .n = credential.n};
    if (credential.n)
        memcpy(q->credential, credential.p, credential.n);
    return q;
}

static bool post(const hb_ctx *ctx, struct question *q, char *body, size_t n)
{
    const struct options *o = ctx->options;
    struct local *local = ctx->local;
    char id[SIGN_ID_MAX], signature[SIGN_MAX];
    int64_t now_s = ctx->host->wall_ms() / 1000;
    sign_id(id);
    sign_body(&local->setup.keys, id, now_s, (hb_str){body, n}, signature);
    struct pool_post p = {.url = o->url, .body = body, .n = n, .id = id, .signature = signature,
        .timestamp_s = now_s, .timeout_ms = o->timeout_ms, .done = on_answer, .arg = q};
    return pool_send(local->pool, &p);
}

/* Adopts the text. */
static hb_verdict ask(
    const hb_ctx *ctx, enum kind kind, void *ev, struct text *t, hb_str credential, hb_outcome *out)
{
    const struct webhook *w = ctx->self;
    struct local *local = ctx->local;
    size_t n;
    char *body = text_take(t, &n);
    struct question *q =
        body && pool_has_room(local->pool) ? create_question(kind, credential) : NULL;
    if (!q) {
        free(body);
        return fail(ctx, kind, FAULT_OVERLOAD, out);
    }
    q->ticket = ctx->host->later(ctx, ev);
    if (!q->ticket) {
        free(body);
        free(q);
        return HB_DENY;
    }
    ctx->host->count(ctx, w->asked[kind], 1);
    ctx->host->count(ctx, w->pending, 1);
    if (post(ctx, q, body, n))
        return HB_LATER;
    ctx->host->count(ctx, w->pending, -1);
    ctx->host->complete(q->ticket, fail(ctx, kind, FAULT_OVERLOAD, out), out);
    free(q);
    return HB_LATER;
}

static bool asks(const hb_ctx *ctx, enum kind kind)
{
    const struct local *local = ctx->local;
    return local->setup.asks[kind];
}

static hb_verdict on_connect(const hb_ctx *ctx, hb_connect *ev)
{
    const struct webhook *w = ctx->self;
    const struct options *o = ctx->options;
    const struct local *local = ctx->local;
    if (!w->authenticates && (ev->refresh || !asks(ctx, KIND_CONNECT)))
        return HB_NEXT;
    const hb_outcome *known = ev->refresh && ev->credential.p
        ? remember_get(local->remember, ev->credential, ctx->host->now_ms()) : NULL;
    if (known) {
        ev->out = *known;
        return HB_ALLOW;
    }
    struct text t = question_connect(ctx, ev, &o->headers);
    return ask(
        ctx, KIND_CONNECT, ev, &t, w->authenticates ? ev->credential : (hb_str){NULL, 0}, &ev->out);
}

static hb_verdict on_join(const hb_ctx *ctx, hb_join *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_JOIN) || !setup_matches(&o->rooms, ev->room))
        return HB_NEXT;
    struct text t = question_join(ctx, ev);
    return ask(ctx, KIND_JOIN, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

static hb_verdict on_publish(const hb_ctx *ctx, hb_publish *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_PUBLISH) || !setup_matches(&o->rooms, ev->room))
        return HB_NEXT;
    struct text t = question_publish(ctx, ev);
    return ask(ctx, KIND_PUBLISH, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

static hb_verdict on_call(const hb_ctx *ctx, hb_call *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_CALL) || !setup_matches(&o->calls, ev->event))
        return HB_NEXT;
    struct text t = question_call(ctx, ev);
    return ask(ctx, KIND_CALL, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

/* ---- Events. A session's slot holds the user that it is counted for, or NULL. */

static void on_wake(const hb_ctx *ctx, void *unused)
{
    struct local *local = ctx->local;
    if (local && local->sender)
        sender_look(local->sender);
}

static void wake_if(const hb_ctx *ctx, bool needed)
{
    if (needed)
        ctx->host->post(ctx, 0, on_wake, NULL);
}

static hb_session_info info_of(const hb_ctx *ctx, const hb_session *session)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    return info;
}

static void count_user(const hb_ctx *ctx, hb_session *session, hb_str user)
{
    const struct webhook *w = ctx->self;
    void **slot = ctx->host->session_slot(ctx, session);
    char *copy = !user.p || *slot ? NULL : malloc(user.n + 1);
    if (!copy)
        return;
    memcpy(copy, user.p, user.n);
    copy[user.n] = '\0';
    *slot = copy;
    wake_if(ctx, ledger_user(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), user, true));
}

static void on_opened(const hb_ctx *ctx, hb_session *session)
{
    const struct webhook *w = ctx->self;
    hb_session_info info = info_of(ctx, session);
    wake_if(ctx, ledger_session(w->ledger, ctx->host->wall_ms(), "session_opened", &info, NULL));
    count_user(ctx, session, info.user);
}

static void on_joined(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data)
{
    const struct webhook *w = ctx->self;
    count_user(ctx, session, info_of(ctx, session).user); /* who came by `auth` after `opened` */
    wake_if(
        ctx, ledger_room(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), room, true, false));
}

static void on_left(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once)
{
    const struct webhook *w = ctx->self;
    wake_if(ctx,
        ledger_room(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), room, false, at_once));
}

static const char *reason_of(hb_end why)
{
    static const char *const names[HB_END_COUNT] = {"client", "error", "heartbeat", "slow_consumer",
        "expired", "refused", "kicked", "rate_limit", "drain"};
    return why < HB_END_COUNT && names[why] ? names[why] : "other";
}

static void on_closed(const hb_ctx *ctx, hb_session *session, hb_end why)
{
    const struct webhook *w = ctx->self;
    hb_session_info info = info_of(ctx, session);
    void **slot = ctx->host->session_slot(ctx, session);
    char *user = *slot;
    *slot = NULL;
    wake_if(ctx,
        ledger_session(w->ledger, ctx->host->wall_ms(), "session_closed", &info, reason_of(why)));
    if (user)
        wake_if(ctx, ledger_user(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(),
            (hb_str){user, strlen(user)}, false));
    free(user);
}

/* ---- Life of the module. */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    struct setup s;
    return setup_make(options, setup_is_lenient(host), &s, error, error_size) ? 0 : -1;
}

static int labelled(
    const hb_ctx *ctx, const char *name, const char *help, const char *key, const char *value)
{
    char label[64];
    snprintf(label, sizeof(label), "%s=\"%s\"", key, value);
    return ctx->host->metric(ctx, name, help, label, true);
}

static void register_metrics(struct webhook *w, const hb_ctx *ctx)
{
    static const char lost[] = "hubbub_webhook_events_lost_total",
                      why[] = "Events that the backend will never see.";
    const hb_host *host = ctx->host;
    for (int i = 0; i < KIND_COUNT; i++)
        w->asked[i] = labelled(ctx, "hubbub_webhook_requests_total", "Questions to the backend.",
            "hook", setup_kind((enum kind)i));
    for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
        w->metrics.failures[i] = labelled(ctx, "hubbub_webhook_failures_total",
            "Requests that the backend did not answer as it should.", "reason",
            fault_name((enum fault)i));
    w->pending = host->metric(
        ctx, "hubbub_webhook_pending", "Questions that wait for their answer.", NULL, false);
    w->metrics.taken = host->metric(
        ctx, "hubbub_webhook_events_total", "Events that the backend took.", NULL, true);
    w->metrics.waiting =
        host->metric(ctx, "hubbub_webhook_events_waiting", "Events that wait.", NULL, false);
    w->metrics.overflow = labelled(ctx, lost, why, "reason", "overflow");
    w->metrics.rejected = labelled(ctx, lost, why, "reason", "rejected");
    w->metrics.given_up = labelled(ctx, lost, why, "reason", "given_up");
}

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    const struct options *o = ctx->options;
    struct setup s;
    if (!setup_make(o, setup_is_lenient(ctx->host), &s, error, error_size))
        return -1;
    struct ledger_settings settings = setup_ledger(o, &s);
    struct webhook *w = calloc(1, sizeof(*w));
    if (w)
        w->ledger = ledger_create(&settings);
    if (!w || !w->ledger || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(error, error_size, "libcurl can't be initialised");
        if (w)
            ledger_destroy(w->ledger);
        free(w);
        return -1;
    }
    register_metrics(w, ctx);
    w->authenticates = o->authenticate;
    if (w->authenticates)
        ctx->host->require_auth(ctx);
    ledger_server(w->ledger, ctx->host->wall_ms(), "server_started");
    *self = w;
    return 0;
}

static void reload(const hb_ctx *ctx)
{
    const struct webhook *w = ctx->self;
    const struct options *o = ctx->options;
    struct setup s;
    char ignored[256]; /* check passed */
    if (!setup_make(o, setup_is_lenient(ctx->host), &s, ignored, sizeof(ignored)))
        return;
    struct ledger_settings settings = setup_ledger(o, &s);
    ledger_configure(w->ledger, &settings);
    if (o->authenticate != w->authenticates)
        ctx->host->log(
            ctx, HB_LOG_WARN, "reload", "webhook: `authenticate` changes with a restart");
}

static void finish(const hb_ctx *ctx)
{
    struct webhook *w = ctx->self;
    const struct options *o = ctx->options;
    struct setup s;
    char ignored[256];
    ledger_vacate(w->ledger, ctx->host->wall_ms());
    ledger_server(w->ledger, ctx->host->wall_ms(), "server_stopped");
    if (o->events.n && setup_make(o, setup_is_lenient(ctx->host), &s, ignored, sizeof(ignored)))
        sender_flush(ctx, w->ledger, &s);
    ledger_destroy(w->ledger);
    free(w);
    curl_global_cleanup();
}

static void make_setup(const hb_ctx *ctx, struct local *local)
{
    char ignored[256]; /* check passed */
    setup_make(ctx->options, setup_is_lenient(ctx->host), &local->setup, ignored, sizeof(ignored));
}

static void destroy_local(struct local *local)
{
    sender_destroy(local->sender);
    pool_destroy(local->pool, NULL);
    remember_destroy(local->remember);
    free(local);
}

static int worker_init(const hb_ctx *ctx, void **out)
{
    const struct webhook *w = ctx->self;
    struct pool_settings settings = setup_pool(ctx->options, ctx->host->workers());
    struct local *local = calloc(1, sizeof(*local));
    if (!local)
        return -1;
    make_setup(ctx, local);
    local->remember = remember_create();
    local->pool = pool_create(ctx, &settings);
    if (ctx->worker == 0)
        local->sender = sender_create(ctx, w->ledger, &local->setup, &w->metrics);
    if (!local->remember || !local->pool || (ctx->worker == 0 && !local->sender)) {
        destroy_local(local);
        return -1;
    }
    *out = local;
    return 0;
}

static void worker_reload(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    struct pool_settings settings = setup_pool(ctx->options, ctx->host->workers());
    make_setup(ctx, local);
    remember_clear(local->remember);
    pool_configure(local->pool, &settings);
    if (local->sender)
        sender_configure(local->sender);
}

/* The sessions are gone: nobody waits for an answer. Its ticket is used up all the same. */
static void drop(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    ctx->host->complete(q->ticket, HB_DENY, NULL);
    free(q);
}

static void worker_finish(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    pool_destroy(local->pool, drop);
    local->pool = NULL;
    destroy_local(local);
}

static const hb_hooks hooks = {.size = sizeof(hb_hooks),
    .connect = on_connect,
    .join = on_join,
    .publish = on_publish,
    .call = on_call,
    .opened = on_opened,
    .joined = on_joined,
    .left = on_left,
    .closed = on_closed};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {
    HB_MODULE("webhook", HB_VERSION),
    .description = "The application's backend over HTTP: asked in hooks, told of events",
    .options = setup_options,
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
