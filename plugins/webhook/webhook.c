/*
 * webhook: the application's own backend, over HTTP, in whatever language. A hook writes its
 * question (asked.c, question.c), takes a ticket and posts it (pool.c); the answer (answer.c)
 * completes the ticket. What happened goes into the ledger (told.c), from which the sender of
 * worker 0 tells it in batches.
 */
#include "webhook.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

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

static void worker_finish(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    pool_destroy(local->pool, asked_drop);
    local->pool = NULL;
    destroy_local(local);
}

static const hb_hooks hooks = {.size = sizeof(hb_hooks),
    .connect = asked_connect,
    .join = asked_join,
    .publish = asked_publish,
    .call = asked_call,
    .opened = told_opened,
    .joined = told_joined,
    .left = told_left,
    .closed = told_closed,
    .authenticated = told_authenticated};

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
