#include "sender.h"
#include <stdlib.h>

enum { FLUSH_MS = 3000, TICK_MOST_MS = 3600000 };

enum state { IDLE, FILLING, SENDING, WAITING };

struct sender {
    const hb_ctx *ctx;
    struct ledger *ledger;
    const struct setup *setup;
    const struct sender_metrics *metrics;
    struct pool *pool;
    enum state state;
    int64_t attempts;   /* of this batch that failed */
    size_t events;      /* in it */
    size_t shown;       /* what the gauge says */
    hb_timer timer;     /* FILLING, WAITING: its end */
    hb_timer tick;      /* somebody's grace is over */
};

static const struct options *options_of(const struct sender *s)
{
    return s->ctx->options;
}

static void count(const struct sender *s, int metric, int64_t n)
{
    if (n)
        s->ctx->host->count(s->ctx, metric, n);
}

static void show_waiting(struct sender *s)
{
    size_t n = ledger_waiting(s->ledger);
    count(s, s->metrics->waiting, (int64_t)n - (int64_t)s->shown);
    s->shown = n;
    count(s, s->metrics->overflow, (int64_t)ledger_overflowed(s->ledger));
}

static void set_timer(struct sender *s, enum state state, int64_t after_ms)
{
    s->state = state;
    s->ctx->host->timer_set(s->ctx, &s->timer, (uint64_t)after_ms);
}

/* ---- What came of a batch. */

static void settle(struct sender *s, bool taken, int metric)
{
    count(s, metric, (int64_t)s->events);
    ledger_settle(s->ledger, taken);
    if (s->attempts > 0 && taken)
        s->ctx->host->log(
            s->ctx, HB_LOG_INFO, "webhook", "webhook: the backend takes events again");
    s->attempts = 0;
    show_waiting(s);
    set_timer(s, FILLING, 0); /* what came meanwhile, if anything */
}

/* Twice as long each time, and by a quarter less at random: nodes don't come back together. */
static int64_t wait_ms(const struct sender *s)
{
    const struct options *o = options_of(s);
    int64_t ms = o->batch.retry_ms;
    for (int64_t i = 1; i < s->attempts && ms < o->batch.retry_most_ms; i++)
        ms *= 2;
    if (ms > o->batch.retry_most_ms)
        ms = o->batch.retry_most_ms;
    return ms - random() % (ms / 4 + 1);
}

static void fail(struct sender *s, enum fault fault)
{
    count(s, s->metrics->failures[fault], 1);
    show_waiting(s);
    if (s->attempts++ == 0)
        s->ctx->host->log(s->ctx, HB_LOG_WARN, "webhook_events",
            "webhook: the backend does not take events; they wait, bounded by batch.queue");
    if (s->attempts >= options_of(s)->batch.attempts)
        settle(s, false, s->metrics->given_up);
    else
        set_timer(s, WAITING, wait_ms(s));
}

/* It would say the same again. */
static bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

static void on_sent(const hb_ctx *ctx, void *arg, enum fault fault, int status, hb_str body)
{
    struct sender *s = arg;
    if (fault == FAULT_NONE && status >= 200 && status < 300) {
        settle(s, true, s->metrics->taken);
    } else if (fault == FAULT_NONE && is_final(status)) {
        count(s, s->metrics->failures[FAULT_STATUS], 1);
        settle(s, false, s->metrics->rejected);
    } else {
        fail(s, fault == FAULT_NONE ? FAULT_STATUS : fault);
    }
}

/* ---- Sending. */

static const char *url_of(const struct options *o)
{
    return *o->events_url ? o->events_url : o->url;
}

static void send_batch(struct sender *s)
{
    const struct options *o = options_of(s);
    char signature[SIGN_MAX];
    struct batch b = ledger_batch(s->ledger, (size_t)o->batch.events);
    if (!b.body) {
        s->state = IDLE;
        return;
    }
    s->state = SENDING;
    s->events = b.events;
    int64_t now_s = s->ctx->host->wall_ms() / 1000;
    sign_body(&s->setup->keys, b.id, now_s, (hb_str){b.body, b.n}, signature);
    struct pool_post post = {.url = url_of(o),
        .body = b.body,
        .n = b.n,
        .id = b.id,
        .signature = signature,
        .timestamp_s = now_s,
        .timeout_ms = o->timeout_ms,
        .done = on_sent,
        .arg = s};
    if (!pool_send(s->pool, &post))
        fail(s, FAULT_OVERLOAD);
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    send_batch(t->owner);
}

static void on_tick(const hb_ctx *ctx, hb_timer *t)
{
    sender_look(t->owner);
}

static void expect_tick(struct sender *s)
{
    const hb_host *host = s->ctx->host;
    uint64_t now_ms = host->now_ms(), due_ms = ledger_tick(s->ledger, host->wall_ms(), now_ms);
    if (due_ms == UINT64_MAX)
        host->timer_cancel(s->ctx, &s->tick);
    else
        host->timer_set(
            s->ctx, &s->tick, due_ms - now_ms < TICK_MOST_MS ? due_ms - now_ms : TICK_MOST_MS);
}

void sender_look(struct sender *s)
{
    expect_tick(s);
    show_waiting(s);
    if (s->state != IDLE || s->shown == 0)
        return;
    if (s->shown >= (size_t)options_of(s)->batch.events)
        send_batch(s);
    else
        set_timer(s, FILLING, options_of(s)->batch.delay_ms);
}

/* ---- Life. */

static struct pool_settings pool_settings(const struct options *o)
{
    struct pool_settings p = setup_pool(o, 1);
    p.concurrency = 1;
    p.queue = 0;
    return p;
}

void sender_configure(struct sender *s)
{
    struct pool_settings p = pool_settings(options_of(s));
    pool_configure(s->pool, &p);
    sender_look(s);
}

struct sender *sender_create(const hb_ctx *ctx, struct ledger *ledger, const struct setup *setup,
    const struct sender_metrics *metrics)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct sender){.ctx = ctx, .ledger = ledger, .setup = setup, .metrics = metrics,
        .timer = {.fire = on_timer, .owner = s}, .tick = {.fire = on_tick, .owner = s}};
    struct pool_settings p = pool_settings(ctx->options);
    s->pool = pool_create(ctx, &p);
    if (!s->pool) {
        free(s);
        return NULL;
    }
    sender_look(s);
    return s;
}

void sender_destroy(struct sender *s)
{
    if (!s)
        return;
    s->ctx->host->timer_cancel(s->ctx, &s->timer);
    s->ctx->host->timer_cancel(s->ctx, &s->tick);
    pool_destroy(s->pool, NULL);
    free(s);
}

void sender_flush(const hb_ctx *ctx, struct ledger *ledger, const struct setup *setup)
{
    const struct options *o = ctx->options;
    struct pool_settings settings = pool_settings(o);
    uint64_t end_ms = ctx->host->now_ms() + FLUSH_MS, now_ms;
    while ((now_ms = ctx->host->now_ms()) < end_ms) {
        char signature[SIGN_MAX];
        struct batch b = ledger_batch(ledger, (size_t)o->batch.events);
        if (!b.body)
            return;
        int64_t now_s = ctx->host->wall_ms() / 1000;
        sign_body(&setup->keys, b.id, now_s, (hb_str){b.body, b.n}, signature);
        struct pool_post post = {.url = url_of(o),
            .body = b.body,
            .n = b.n,
            .id = b.id,
            .signature = signature,
            .timestamp_s = now_s,
            .timeout_ms = (int64_t)(end_ms - now_ms)};
        int status = pool_post_blocking(&settings, &post);
        if (status < 200 || status >= 300)
            return;
        ledger_settle(ledger, true);
    }
}
