/*
 * Drain: first only /readyz says so (drain.delay), so that load balancers look elsewhere; then the
 * listeners close and every session gets its bye; it ends when all are gone or time is up. Control
 * thread.
 */
#include "base/clock.h"
#include "base/log.h"
#include "server/control.h"
#include "server/listen.h"
#include "server/system.h"
#include "server/worker.h"
#include "session/edge.h"
#include "session/note.h"

enum { ASK_MS = 50, LOOK_MS = 5 };

static struct {
    struct timer timer;
    uint64_t until_ms;
    _Atomic int told; /* workers that have begun */
    _Atomic int looked; /* workers that have dealt with all that the ends of sessions sent them */
    bool looking;
} drain;

static struct wheel *wheel_of(struct server *s)
{
    return &s->workers[s->n_workers]->shard.wheel;
}

static size_t sessions(const struct server *s)
{
    size_t n = 0;
    for (int i = 0; i < s->n_workers; i++)
        n += atomic_load_explicit(&s->workers[i]->sessions, memory_order_relaxed);
    return n;
}

static void look(struct worker *w, void *arg)
{
    atomic_fetch_add(&drain.looked, 1);
}

/* What the last sessions left for other nodes is on its way there: no session any more is not enough. */
static bool all_noted(struct server *s)
{
    if (!drain.looking) {
        drain.looking = true;
        for (int i = 0; i < s->n_workers; i++)
            worker_call(s->workers[i], look, NULL);
        return false;
    }
    return atomic_load(&drain.looked) == s->n_workers && note_under_way() == 0;
}

static void on_ask(struct timer *t)
{
    struct server *s = &server;
    uint64_t now = clock_mono_ms();
    bool all_gone = atomic_load(&drain.told) == s->n_workers && sessions(s) == 0;
    if (all_gone && all_noted(s)) {
        atomic_store(&s->state, SERVER_STOPPING);
    } else if (now >= drain.until_ms) {
        log_write(LOG_WARN, "drain", "time is up: %zu sessions are cut off", sessions(s));
        atomic_store(&s->state, SERVER_STOPPING);
    } else {
        timer_set(wheel_of(s), t, now + (all_gone ? LOOK_MS : ASK_MS));
    }
}

static void drain_worker(struct worker *w, void *arg)
{
    listen_close(w);
    const struct config *c = w->shard.config;
    int64_t most = c->drain.timeout_ms * 3 / 4; /* the last ones need some time, too */
    edge_drain(&w->shard, c->drain.spread_ms < most ? c->drain.spread_ms : most);
    atomic_store(&w->sessions, edge_sessions(&w->shard));
    atomic_fetch_add(&drain.told, 1);
}

static void on_delay_over(struct timer *t)
{
    struct server *s = &server;
    atomic_store(&s->state, SERVER_DRAINING);
    log_write(LOG_INFO, "drain", "closing %zu sessions, within %lld ms", sessions(s),
        (long long)s->config->drain.timeout_ms);
    for (int i = 0; i < s->n_workers; i++)
        worker_call(s->workers[i], drain_worker, NULL);
    t->fire = on_ask;
    timer_set(wheel_of(s), t, clock_mono_ms() + ASK_MS);
}

void drain_begin(struct server *s)
{
    uint64_t now = clock_mono_ms();
    if (server_state() != SERVER_RUNNING)
        return;
    atomic_store(&s->state, SERVER_LEAVING);
    system_notify("STOPPING=1");
    metrics_add(s->workers[s->n_workers]->shard.metrics, METRIC_DRAINING, 1);
    log_write(LOG_INFO, "drain", "begins; new sessions are taken for %lld ms yet",
        (long long)s->config->drain.delay_ms);
    drain.until_ms = now + (uint64_t)(s->config->drain.delay_ms + s->config->drain.timeout_ms);
    timer_init(&drain.timer, on_delay_over);
    timer_set(wheel_of(s), &drain.timer, now + (uint64_t)s->config->drain.delay_ms);
}

bool drain_done(const struct server *s)
{
    return server_state() == SERVER_STOPPING;
}
