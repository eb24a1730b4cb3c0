/*
 * Reload: everything is read and checked here, on the control thread; then each worker takes the
 * new configuration over between two turns; when all have, the old one is freed. What can't change
 * while running makes the whole reload fail.
 */
#include "base/log.h"
#include "conf/changes.h"
#include "plugin/run.h"
#include "server/control.h"
#include "server/series.h"
#include "server/system.h"
#include "server/tls.h"
#include "server/worker.h"
#include "session/edge.h"
#include <stdlib.h>
#include <string.h>

static struct {
    struct config *before; /* freed when all workers have let go of it */
    int waiting;           /* workers that have not; 0: no reload under way */
    struct buf changed;    /* the keys that differ */
} under_way;

/* ---- what takes a restart ---- */

static void refuse(struct errors *errors, const struct config *next, const char *what)
{
    errors_add(
        errors, next->file, 0, 0, "%s can't change while it runs: that takes a restart", what);
}

static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->listen.n != b->listen.n)
        return false;
    for (size_t i = 0; i < a->listen.n; i++) {
        const struct config_listen *x = &a->listen.items[i], *y = &b->listen.items[i];
        if (strcmp(x->address, y->address) || x->port != y->port ||
            x->proxy_protocol != y->proxy_protocol ||
            !x->tls.certificate[0] != !y->tls.certificate[0])
            return false;
    }
    return true;
}

static void check_fixed(const struct config *now, const struct config *next, struct errors *errors)
{
    if (!same_listeners(now, next))
        refuse(errors, next, "'listen' (but for certificates)");
    if (now->workers != next->workers)
        refuse(errors, next, "'workers'");
    if (strcmp(now->node, next->node))
        refuse(errors, next, "'node'");
    if (strcmp(now->base_path, next->base_path))
        refuse(errors, next, "the base path");
    if (strcmp(now->admin.address, next->admin.address) || now->admin.port != next->admin.port)
        refuse(errors, next, "the address of 'admin'");
}

/* ---- taking over ---- */

static void on_taken(struct worker *control, void *arg)
{
    if (--under_way.waiting > 0)
        return;
    if (under_way.before != server.first_config) /* modules may point into that one */
        config_free(under_way.before);
    under_way.before = NULL;
    log_write(LOG_INFO, "reload", "the new configuration is in force; changed: %.*s",
        (int)under_way.changed.n, under_way.changed.p);
    buf_finish(&under_way.changed);
}

static void take(struct worker *w, void *arg)
{
    struct server *s = w->server;
    w->shard.config = s->config;
    w->site = s->sites->site;
    for (int i = 0; i < w->n_listeners; i++)
        if (w->listeners[i].accept.ssl_ctx)
            w->listeners[i].accept.ssl_ctx = tls_context(w->listeners[i].index);
    edge_reload(&w->shard);
    modules_worker_reload(s->modules, w->shard.ctx);
    worker_call(s->workers[s->n_workers], on_taken, NULL);
}

static void note_changes(
    const struct config *before, const struct config *next, const struct tls_set *tls)
{
    struct buf *out = &under_way.changed;
    buf_finish(out);
    config_changes(before, next, out);
    if (tls_differs(tls)) {
        buf_lit(out, out->n > 0 ? ", " : "");
        buf_lit(out, "certificates");
    }
    if (out->n == 0)
        buf_lit(out, "nothing");
}

static void publish(struct server *s, struct config *next, const struct modules_plan *plan,
    const struct tls_set *tls)
{
    struct worker *control = s->workers[s->n_workers];
    under_way.before = s->config;
    under_way.waiting = s->n_workers;
    note_changes(s->config, next, tls);
    s->config = next;
    control->shard.config = next;
    tls_use(tls);
    server_use_site(s, next);
    log_configure((enum log_level)next->log.level, next->log.format == LOG_FORMAT_JSON);
    modules_reload(s->modules, plan, control->shard.ctx);
    if (s->lifecycle)
        s->lifecycle(&control->shard, next, false);
    system_raise_files(next);
    for (int i = 0; i < s->n_workers; i++)
        worker_call(s->workers[i], take, NULL);
}

bool reload_begin(struct server *s, struct errors *errors, struct buf *changed)
{
    struct tls_set tls;
    struct modules_plan *plan = mem_zalloc(sizeof *plan);
    struct config *next = NULL;
    if (under_way.waiting || server_state() != SERVER_RUNNING)
        errors_add(errors, s->config->file, 0, 0, "a reload or a drain is under way");
    else
        next = config_load(s->config->file, errors);
    bool ok = next != NULL;
    if (ok) {
        check_fixed(s->config, next, errors);
        series_check_rules(next, s->metrics, NULL, errors);
        ok = modules_plan(s->modules, next, plan, errors) && errors->fatal == 0;
    }
    ok = ok && tls_load(next, &tls, errors);
    if (ok) {
        publish(s, next, plan, &tls);
        buf_str(changed, buf_view(&under_way.changed));
    } else {
        config_free(next);
    }
    free(plan);
    return ok;
}
