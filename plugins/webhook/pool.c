#include "pool.h"
#include "transfer.h"
#include <curl/curl.h>
#include <stdlib.h>

struct pool {
    const hb_ctx *ctx;
    CURLM *multi;
    struct pool_settings settings;
    char *ca_file;             /* owned; settings.ca_file */
    struct transfer *active;   /* doubly linked */
    struct transfer *first, *last; /* waiting, in order */
    size_t n_active, n_waiting;
    hb_timer timer;            /* curl's */
    hb_timer deadline;         /* of the first that waits */
};

static void start_waiting(struct pool *p);

/* ---- Ends. */

static void end(struct pool *p, struct transfer *t, enum fault fault, int status)
{
    hb_str body = {t->answer, t->answer_n};
    t->post.done(p->ctx, t->post.arg, fault, status, body);
    transfer_destroy(t);
}

static void unlink_active(struct pool *p, struct transfer *t)
{
    curl_multi_remove_handle(p->multi, t->easy);
    if (t->prev)
        t->prev->next = t->next;
    else
        p->active = t->next;
    if (t->next)
        t->next->prev = t->prev;
    p->n_active--;
}

/* What curl has to tell: transfers that are over. */
static void collect(struct pool *p)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(p->multi, &left))) {
        struct transfer *t;
        CURLcode result = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        unlink_active(p, t);
        int status = 0;
        enum fault fault = transfer_fault(t, result, &status);
        end(p, t, fault, status);
    }
    start_waiting(p);
}

/* ---- The loop. */

static void on_ready(const hb_ctx *ctx, int fd, int what, void *arg)
{
    struct pool *p = arg;
    int running;
    int mask = (what & HB_WATCH_READ ? CURL_CSELECT_IN : 0) |
               (what & HB_WATCH_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(p->multi, fd, mask, &running);
    collect(p);
}

static void on_timer(const hb_ctx *ctx, hb_timer *timer)
{
    struct pool *p = timer->owner;
    int running;
    curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(p);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct pool *p = arg;
    int bits =
        (what & CURL_POLL_IN ? HB_WATCH_READ : 0) | (what & CURL_POLL_OUT ? HB_WATCH_WRITE : 0);
    p->ctx->host->watch(p->ctx, fd, what == CURL_POLL_REMOVE ? HB_WATCH_NONE : bits, on_ready, p);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct pool *p = arg;
    if (timeout_ms < 0)
        p->ctx->host->timer_cancel(p->ctx, &p->timer);
    else
        p->ctx->host->timer_set(p->ctx, &p->timer, (uint64_t)timeout_ms);
    return 0;
}

/* ---- Waiting. */

static struct transfer *pop_waiting(struct pool *p)
{
    struct transfer *t = p->first;
    p->first = t->next;
    if (!p->first)
        p->last = NULL;
    p->n_waiting--;
    t->next = NULL;
    return t;
}

static void expect_deadline(struct pool *p)
{
    if (!p->first) {
        p->ctx->host->timer_cancel(p->ctx, &p->deadline);
        return;
    }
    uint64_t now_ms = p->ctx->host->now_ms(), due_ms = p->first->due_ms;
    p->ctx->host->timer_set(p->ctx, &p->deadline, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_deadline(const hb_ctx *ctx, hb_timer *timer)
{
    struct pool *p = timer->owner;
    uint64_t now_ms = ctx->host->now_ms();
    while (p->first && p->first->due_ms <= now_ms)
        end(p, pop_waiting(p), FAULT_TIMEOUT, 0);
    expect_deadline(p);
}

static void start(struct pool *p, struct transfer *t)
{
    uint64_t now_ms = p->ctx->host->now_ms();
    int64_t left_ms = t->due_ms > now_ms ? (int64_t)(t->due_ms - now_ms) : 1;
    if (!transfer_prepare(t, &p->settings, left_ms) ||
        curl_multi_add_handle(p->multi, t->easy) != CURLM_OK) {
        end(p, t, FAULT_NETWORK, 0);
        return;
    }
    t->prev = NULL;
    t->next = p->active;
    if (p->active)
        p->active->prev = t;
    p->active = t;
    p->n_active++;
}

static void start_waiting(struct pool *p)
{
    if (!p->first)
        return;
    while (p->first && p->n_active < p->settings.concurrency)
        start(p, pop_waiting(p));
    expect_deadline(p);
}

static void wait(struct pool *p, struct transfer *t)
{
    t->next = NULL;
    if (p->last)
        p->last->next = t;
    else
        p->first = t;
    p->last = t;
    p->n_waiting++;
    if (p->first == t)
        expect_deadline(p);
}

/* ---- The pool. */

bool pool_has_room(const struct pool *p)
{
    return p->n_active < p->settings.concurrency || p->n_waiting < p->settings.queue;
}

size_t pool_pending(const struct pool *p)
{
    return p->n_active + p->n_waiting;
}

bool pool_send(struct pool *p, const struct pool_post *post)
{
    struct transfer *t = pool_has_room(p) ? transfer_create(post) : NULL;
    if (!t) {
        free(post->body);
        return false;
    }
    t->due_ms = p->ctx->host->now_ms() + (uint64_t)post->timeout_ms;
    if (p->n_active < p->settings.concurrency && !p->first)
        start(p, t);
    else
        wait(p, t);
    return true;
}

void pool_configure(struct pool *p, const struct pool_settings *settings)
{
    char *ca_file = transfer_copy(settings->ca_file);
    if (!ca_file)
        abort();
    free(p->ca_file);
    p->ca_file = ca_file;
    p->settings = *settings;
    p->settings.ca_file = ca_file;
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)settings->concurrency);
    start_waiting(p);
}

struct pool *pool_create(const hb_ctx *ctx, const struct pool_settings *settings)
{
    struct pool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->ctx = ctx;
    p->timer.fire = on_timer;
    p->deadline.fire = on_deadline;
    p->timer.owner = p->deadline.owner = p;
    p->multi = curl_multi_init();
    if (!p->multi) {
        free(p);
        return NULL;
    }
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    pool_configure(p, settings);
    return p;
}

void pool_destroy(struct pool *p, void (*drop)(const hb_ctx *ctx, void *arg))
{
    if (!p)
        return;
    while (p->active || p->first) {
        struct transfer *t = p->active;
        if (t)
            unlink_active(p, t);
        else
            t = pop_waiting(p);
        if (drop)
            drop(p->ctx, t->post.arg);
        transfer_destroy(t);
    }
    curl_multi_cleanup(p->multi);
    p->ctx->host->timer_cancel(p->ctx, &p->timer);
    p->ctx->host->timer_cancel(p->ctx, &p->deadline);
    free(p->ca_file);
    free(p);
}
