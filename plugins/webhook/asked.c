/* The backend is asked: a hook takes a ticket, the answer completes it. */
#include "answer.h"
#include "question.h"
#include "webhook.h"
#include <stdlib.h>
#include <string.h>

enum { RETRY_AFTER_MS = 1000 };

/* A question that is out. */
struct question {
    hb_ticket *ticket;
    enum kind kind;
    size_t n;
    char credential[]; /* KIND_CONNECT: to be remembered; n 0: not */
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
    struct pool_post p = {.url = o->url,
        .body = body,
        .n = n,
        .id = id,
        .signature = signature,
        .timestamp_s = now_s,
        .timeout_ms = o->timeout_ms,
        .done = on_answer,
        .arg = q};
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

hb_verdict asked_connect(const hb_ctx *ctx, hb_connect *ev)
{
    const struct webhook *w = ctx->self;
    const struct options *o = ctx->options;
    const struct local *local = ctx->local;
    if (!w->authenticates && (ev->refresh || !asks(ctx, KIND_CONNECT)))
        return HB_NEXT;
    const hb_outcome *known =
        ev->refresh && ev->credential.p
            ? remember_get(local->remember, ev->credential, ctx->host->now_ms())
            : NULL;
    if (known) {
        ev->out = *known;
        return HB_ALLOW;
    }
    struct text t = question_connect(ctx, ev, &o->headers);
    return ask(
        ctx, KIND_CONNECT, ev, &t, w->authenticates ? ev->credential : (hb_str){NULL, 0}, &ev->out);
}

hb_verdict asked_join(const hb_ctx *ctx, hb_join *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_JOIN) || !setup_matches(&o->rooms, ev->room))
        return HB_NEXT;
    struct text t = question_join(ctx, ev);
    return ask(ctx, KIND_JOIN, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

hb_verdict asked_publish(const hb_ctx *ctx, hb_publish *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_PUBLISH) || !setup_matches(&o->rooms, ev->room))
        return HB_NEXT;
    struct text t = question_publish(ctx, ev);
    return ask(ctx, KIND_PUBLISH, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

hb_verdict asked_call(const hb_ctx *ctx, hb_call *ev)
{
    const struct options *o = ctx->options;
    if (!asks(ctx, KIND_CALL) || !setup_matches(&o->calls, ev->event))
        return HB_NEXT;
    struct text t = question_call(ctx, ev);
    return ask(ctx, KIND_CALL, ev, &t, (hb_str){NULL, 0}, &ev->out);
}

/* Its ticket is used up all the same. */
void asked_drop(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    ctx->host->complete(q->ticket, HB_DENY, NULL);
    free(q);
}
