#include "server/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "plugin/run.h"
#include "server/conn.h"
#include "server/gate.h"
#include "server/host.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/stream_local.h"
#include "server/watch.h"
#include "session/edge.h"
#include "session/survey.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LAG_MS = 250, LAST_TURNS_MS = 1000, LAST_WAIT_MS = 10, JOIN_SECONDS = 5 };

_Thread_local struct worker *worker_self;

static void wake(void *arg)
{
    struct worker *w = arg;
    uint64_t one = 1;
    (void)!write(w->wake_fd, &one, sizeof one);
}

struct worker *worker_create(struct server *s, int index)
{
    struct worker *w = mem_zalloc(sizeof *w);
    w->server = s;
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK_INVARIANT(w->wake_fd >= 0);
    w->shard.index = index;
    w->shard.hub = &s->hub;
    w->shard.config = s->config;
    w->shard.metrics = metrics_shard(s->metrics, index == s->n_workers ? -1 : index);
    w->shard.worker = w;
    w->reserve_fd = -1;
    list_init(&w->shard.dirty_rooms);
    list_init(&w->shard.dirty_boxes);
    wheel_init(&w->shard.wheel, clock_mono_ms());
    mailbox_init(&w->shard.box, wake, w);
    list_init(&w->conns);
    list_init(&w->resumed);
    watch_init(w);
    return w;
}

void worker_destroy(struct worker *w)
{
    if (!w)
        return;
    mailbox_finish(&w->shard.box);
    close(w->wake_fd);
    free(w->scratch);
    free(w);
}

/* ---- the loop ---- */

static void on_wake(h2o_socket_t *sock, const char *err)
{
    uint64_t n;
    (void)!read(h2o_socket_get_fd(sock), &n, sizeof n);
}

static void on_lag_time(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, lag);
    uint64_t now = clock_mono_us();
    uint64_t late_us = now > w->lag_due_us ? now - w->lag_due_us : 0;
    metrics_set(w->shard.metrics, METRIC_LOOP_LAG, (int64_t)late_us * 1000);
    timer_set(&w->shard.wheel, t, now / 1000 + LAG_MS);
    w->lag_due_us = (now / 1000 + LAG_MS) * 1000;
}

void worker_open(struct worker *w)
{
    worker_self = w;
    w->scratch = mem_alloc(WORKER_SCRATCH);
    http_register(w);
    h2o_context_init(&w->context, h2o_evloop_create(), &w->conf);
    w->wake = h2o_evloop_socket_create(w->context.loop, dup(w->wake_fd), H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(w->wake, on_wake);
    timer_init(&w->lag, on_lag_time);
    w->lag_due_us = clock_mono_us();
    on_lag_time(&w->lag);
}

static bool is_control(const struct worker *w)
{
    return w->shard.index == w->server->n_workers;
}

/* What was written outside of the loop's own callbacks (mail, timers, the end of a turn) is told in its
 * next run, and that must not sleep before it. */
static bool has_pending(const h2o_evloop_t *loop)
{
    return loop->_pending_as_client || loop->_pending_as_server;
}

void worker_turn(struct worker *w)
{
    uint64_t now = clock_mono_ms();
    atomic_store_explicit(&w->turned_ms, now, memory_order_relaxed);
    http_configure(w);
    uint64_t wait = wheel_wait_ms(&w->shard.wheel, now, w->stop ? LAST_WAIT_MS : WORKER_WAIT_MS);
    h2o_evloop_run(w->context.loop, has_pending(w->context.loop) ? 0 : (int32_t)wait);
    mailbox_drain(&w->shard.box, &w->shard);
    wheel_advance(&w->shard.wheel, clock_mono_ms());
    stream_local_resume(w);
    if (is_control(w)) {
        gate_turn(w);
        return;
    }
    edge_flush(&w->shard);
    atomic_store_explicit(&w->sessions, edge_sessions(&w->shard), memory_order_relaxed);
}

/* h2o's own end when it next looks at them. */
void worker_end_connections(struct worker *w)
{
    uint64_t until = clock_mono_ms() + LAST_TURNS_MS;
    w->stop = true;
    listen_close(w);
    conn_close_all(w);
    while (w->n_conns > 0 && clock_mono_ms() < until) {
        worker_turn(w);
        conn_close_all(w);
    }
}

void worker_close(struct worker *w)
{
    atomic_store(&w->turned_ms, 0);
    mailbox_close(&w->shard.box);
    surveys_destroy(&w->shard);
    watch_finish(w);
    timer_cancel(&w->shard.wheel, &w->lag);
    h2o_socket_close(w->wake);
    if (w->reserve_fd >= 0)
        close(w->reserve_fd);
    if (w->n_conns) /* h2o would abort; the process ends anyway */
        return;
    h2o_evloop_t *loop = w->context.loop;
    h2o_context_dispose(&w->context);
    h2o_evloop_destroy(loop);
    h2o_config_dispose(&w->conf);
}

/* ---- the thread ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int up; /* of the worker that starts: 0 not yet, 1 up, -1 failed */
} starting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void tell_started(bool up)
{
    pthread_mutex_lock(&starting.lock);
    starting.up = up ? 1 : -1;
    pthread_cond_signal(&starting.changed);
    pthread_mutex_unlock(&starting.lock);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    char name[16];
    snprintf(name, sizeof name, "worker-%d", w->shard.index);
    pthread_setname_np(pthread_self(), name);
    worker_open(w);
    edge_init(&w->shard);
    bool up = modules_worker_init(w->server->modules, &host_table, w->shard.index, w->shard.ctx);
    tell_started(up);
    if (up) {
        while (!w->stop)
            worker_turn(w);
        worker_end_connections(w);
    }
    /* From here on mail would meet stages that are no more. */
    edge_finish(&w->shard);
    mailbox_close(&w->shard.box);
    if (up)
        modules_worker_finish(w->server->modules, w->shard.ctx);
    worker_close(w);
    return NULL;
}

bool worker_start(struct worker *w)
{
    starting.up = 0;
    int rc = pthread_create(&w->thread, NULL, run, w);
    if (rc != 0) {
        log_write(LOG_ERROR, "worker", "can't start a thread: %s", strerror(rc));
        return false;
    }
    w->started = true;
    pthread_mutex_lock(&starting.lock);
    while (!starting.up)
        pthread_cond_wait(&starting.changed, &starting.lock);
    pthread_mutex_unlock(&starting.lock);
    return starting.up > 0;
}

void worker_join(struct worker *w)
{
    struct timespec until;
    if (!w->started)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_SECONDS;
    if (pthread_timedjoin_np(w->thread, NULL, &until) != 0) {
        log_write(LOG_ERROR, "stopped", "worker %d does not come back: leaving without it",
            w->shard.index);
        _exit(1);
    }
    w->started = false;
}

/* ---- calls ---- */

struct call {
    struct mail mail;
    struct worker *worker;
    void (*fn)(struct worker *w, void *arg);
    void *arg;
};

static void on_call(struct mail *mail, void *receiver)
{
    struct call c = *container_of(mail, struct call, mail);
    free(container_of(mail, struct call, mail));
    c.fn(c.worker, c.arg);
}

static void drop_call(struct mail *mail)
{
    free(container_of(mail, struct call, mail));
}

void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
    struct call *c = mem_alloc(sizeof *c);
    *c = (struct call){.mail = {.deliver = on_call, .discard = drop_call}, .worker = w, .fn = fn,
        .arg = arg};
    mailbox_post(&w->shard.box, &c->mail);
}
