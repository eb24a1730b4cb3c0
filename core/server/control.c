#include "server/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/system.h"
#include "server/worker.h"
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000,       /* at the workers */
    STUCK_MS = 3000,      /* not come round for that long */
    TRIM_MS = 10000,      /* how often at most memory is given back */
    TRIM_BELOW = 1000,    /* connections that went since the most there were */
};

static struct {
    struct server *server;
    struct timer look;
    int signals;
    h2o_socket_t *signal_sock;
    uint64_t trimmed_ms;
    int64_t most_connections;
} control;

/* ---- workers that don't come back ---- */

static void tell_stuck(struct server *s, int i, uint64_t ms)
{
    int in = atomic_load_explicit(&s->workers[i]->shard.in_module, memory_order_relaxed);
    if (in > 0 && in <= (int)s->hub.n_modules)
        log_write(LOG_ERROR, "stuck", "worker %d has not come back for %llu ms: it is inside %s", i,
            (unsigned long long)ms, s->hub.modules[in - 1].desc->name);
    else
        log_write(LOG_ERROR, "stuck", "worker %d has not come back for %llu ms", i,
            (unsigned long long)ms);
}

static void look_at_workers(struct server *s)
{
    uint64_t now = clock_mono_ms();
    for (int i = 0; i < s->n_workers; i++) {
        uint64_t turned = atomic_load_explicit(&s->workers[i]->turned_ms, memory_order_relaxed);
        uint64_t bit = (uint64_t)1 << i;
        bool stuck = turned && now > turned + STUCK_MS;
        if (stuck && !(s->stuck_workers & bit))
            tell_stuck(s, i, now - turned);
        else if (!stuck && (s->stuck_workers & bit))
            log_write(LOG_WARN, "stuck", "worker %d is back", i);
        s->stuck_workers = stuck ? s->stuck_workers | bit : s->stuck_workers & ~bit;
    }
}

/* After a crowd left, glibc keeps what it used: some kilobytes for each. */
static void trim_memory(struct server *s)
{
    int64_t have = atomic_load(&s->connections);
    uint64_t now = clock_mono_ms();
    if (have > control.most_connections)
        control.most_connections = have;
    if (control.most_connections - have < TRIM_BELOW || now < control.trimmed_ms + TRIM_MS)
        return;
    control.most_connections = have;
    control.trimmed_ms = now;
    malloc_trim(0);
}

static void on_look(struct timer *t)
{
    struct server *s = control.server;
    look_at_workers(s);
    trim_memory(s);
    if (!s->stuck_workers)
        system_alive();
    timer_set(&s->workers[s->n_workers]->shard.wheel, t, clock_mono_ms() + LOOK_MS);
}

/* ---- signals ---- */

static void log_error(const struct error *e)
{
    enum log_level level = e->warning ? LOG_WARN : LOG_ERROR;
    if (e->line)
        log_write(level, "reload", "%s:%u:%u: %s", e->file, e->line, e->column, e->message);
    else
        log_write(level, "reload", "%s: %s", e->file, e->message);
}

static void reload(struct server *s)
{
    struct errors errors;
    struct buf changed = BUF_INIT;
    errors_init(&errors);
    system_notify("RELOADING=1");
    if (!reload_begin(s, &errors, &changed))
        log_write(LOG_ERROR, "reload", "nothing was changed: %zu mistakes", errors.fatal);
    for (size_t i = 0; i < errors.n; i++)
        log_error(&errors.items[i]);
    errors_finish(&errors);
    buf_finish(&changed);
    system_notify("READY=1");
}

static void handle(struct server *s, int signal)
{
    if (signal == SIGHUP) {
        reload(s);
    } else if (server_state() < SERVER_LEAVING) {
        drain_begin(s);
    } else {
        log_write(LOG_WARN, "stopped", "told twice: leaving at once");
        _exit(1);
    }
}

static void on_signal(h2o_socket_t *sock, const char *err)
{
    int signal;
    while ((signal = system_read_signal(h2o_socket_get_fd(sock))))
        handle(control.server, signal);
}

void control_run(struct server *s)
{
    struct worker *w = s->workers[s->n_workers];
    control.server = s;
    control.signals = system_signals();
    CHECK_INVARIANT(control.signals >= 0);
    control.signal_sock = h2o_evloop_socket_create(w->context.loop, control.signals,
        H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(control.signal_sock, on_signal);
    timer_init(&control.look, on_look);
    on_look(&control.look);
    while (!drain_done(s))
        worker_turn(w);
    timer_cancel(&w->shard.wheel, &control.look);
    h2o_socket_close(control.signal_sock);
}

bool server_reload(struct buf *out)
{
    struct errors errors;
    errors_init(&errors);
    bool ok = reload_begin(&server, &errors, out);
    for (size_t i = 0; !ok && i < errors.n; i++) {
        const struct error *e = &errors.items[i];
        if (!e->warning && e->line)
            buf_printf(out, "%s:%u:%u: %s\n", e->file, e->line, e->column, e->message);
        else if (!e->warning)
            buf_printf(out, "%s: %s\n", e->file, e->message);
    }
    errors_finish(&errors);
    return ok;
}
