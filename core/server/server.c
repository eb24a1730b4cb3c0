#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "plugin/run.h"
#include "session/session.h"
#include "server/control.h"
#include "server/host.h"
#include "server/listen.h"
#include "server/remote.h"
#include "server/series.h"
#include "server/site.h"
#include "server/system.h"
#include "server/tls.h"
#include "server/worker.h"
#include <stdio.h>
#include <stdlib.h>

struct server server;

void server_set_admin(server_admin_fn *answer, server_judge_fn *judge)
{
    server.admin = answer;
    server.judge = judge;
}

void server_set_lifecycle(server_lifecycle_fn *changed)
{
    server.lifecycle = changed;
}

void server_status(struct server_status *out)
{
    struct server *s = &server;
    *out = (struct server_status){.state = server_state(),
        .n_workers = s->n_workers,
        .connections = (size_t)atomic_load(&s->connections),
        .started_ms = s->started_ms,
        .stuck_workers = s->stuck_workers,
        .config = s->config,
        .modules = s->modules,
        .metrics = s->metrics};
}

void server_drain(void)
{
    drain_begin(&server);
}

/* ---- what all stages share ---- */

static void add_wires(struct hub *hub, unsigned module, const hb_transport *transport)
{
    for (unsigned v = 0; v < transport->variants && hub->n_wires < WIRES_MAX; v++)
        hub->wires[hub->n_wires++] = (struct wire){
            .transport = transport, .variant = v, .module = module, .cursors = transport->cursors};
}

static void add_module(struct server *s, unsigned index)
{
    struct hub *hub = &s->hub;
    struct module_ref *ref = &hub->modules[index];
    const hb_module *desc = s->modules->items[index]->m;
    *ref = (struct module_ref){.desc = desc, .slot = -1};
    if (desc->session_slot)
        ref->slot = (int)hub->n_slots++;
    series_register(s->metrics, ref);
    if (desc->transport)
        add_wires(hub, index, desc->transport);
    if (desc->hooks)
        hub->auth |= desc->hooks->auth;
    if (desc->backend)
        hub->backend = (int)index;
}

static void make_hub(struct server *s)
{
    struct hub *hub = &s->hub;
    *hub = (struct hub){.n_workers = s->n_workers,
        .io = &host_io,
        .session_ops = &session_ops,
        .host = &host_table,
        .backend = -1};
    hub->n_modules = (unsigned)s->modules->n;
    for (unsigned i = 0; i < hub->n_modules; i++)
        add_module(s, i);
    hub->shards = mem_zalloc((size_t)(s->n_workers + 1) * sizeof *hub->shards);
    for (int i = 0; i <= s->n_workers; i++) {
        s->workers[i] = worker_create(s, i);
        hub->shards[i] = &s->workers[i]->shard;
    }
}

/* ---- up ---- */

static bool say_errors(struct errors *errors)
{
    bool ok = errors->fatal == 0;
    errors_print(errors, stderr);
    errors_finish(errors);
    return ok;
}

/* Configuration, modules and certificates; nothing runs yet. */
static bool load(struct server *s, const char *path)
{
    struct errors errors;
    struct tls_set tls;
    errors_init(&errors);
    s->config = s->first_config = config_load(path, &errors);
    if (s->config) {
        log_configure(
            (enum log_level)s->config->log.level, s->config->log.format == LOG_FORMAT_JSON);
        s->modules = modules_load(s->config, &errors);
        if (tls_load(s->config, &tls, &errors))
            tls_use(&tls);
    }
    return say_errors(&errors) && s->config;
}

static bool init_modules(struct server *s)
{
    struct errors errors;
    errors_init(&errors);
    host_collect_errors(&errors);
    bool ok = modules_init(s->modules, &host_table, s->workers[s->n_workers]->shard.ctx, &errors);
    host_collect_errors(NULL);
    return say_errors(&errors) && ok;
}

static bool check_rules(const struct server *s)
{
    struct errors errors;
    errors_init(&errors);
    series_check_rules(s->config, s->metrics, NULL, &errors);
    return say_errors(&errors);
}

static void open_listeners(struct worker *w, void *arg)
{
    w->site = arg;
    listen_open(w);
}

static void say_modules(const struct server *s, bool transports, const char *what)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < s->modules->n; i++)
        if ((s->modules->items[i]->kind == MODULE_TRANSPORT) == transports)
            buf_printf(&names, "%s%s", names.n ? " " : "", s->modules->items[i]->name);
    buf_lit(&names, names.n ? "" : "none");
    log_write(LOG_INFO, what, "%.*s", (int)names.n, names.p);
    buf_finish(&names);
}

static void say_ready(const struct server *s)
{
    const struct config *c = s->config;
    for (size_t i = 0; i < c->listen.n; i++) {
        const struct config_listen *l = &c->listen.items[i];
        log_write(LOG_INFO, "listening", "address=%s port=%lld tls=%s", l->address,
            (long long)l->port, l->tls.certificate[0] ? "yes" : "no");
    }
    if (c->admin.port)
        log_write(LOG_INFO, "listening", "address=%s port=%lld for=admin", c->admin.address,
            (long long)c->admin.port);
    say_modules(s, true, "transports");
    say_modules(s, false, "plugins");
    log_write(
        LOG_INFO, "ready", "node=%s version=%s workers=%d", c->node, HB_VERSION, s->n_workers);
}

static bool start_workers(struct server *s)
{
    for (int i = 0; i < s->n_workers; i++)
        if (!worker_start(s->workers[i]))
            return false;
    for (int i = 0; i < s->n_workers; i++)
        worker_call(s->workers[i], open_listeners, s->sites->site);
    listen_open(s->workers[s->n_workers]);
    return true;
}

/* ---- down ---- */

static void stop(struct worker *w, void *arg)
{
    w->stop = true;
}

static void stop_workers(struct server *s)
{
    for (int i = 0; i < s->n_workers; i++)
        if (s->workers[i]->started)
            worker_call(s->workers[i], stop, NULL);
    for (int i = 0; i < s->n_workers; i++)
        worker_join(s->workers[i]);
}

static void destroy(struct server *s)
{
    for (int i = 0; s->hub.shards && i <= s->n_workers; i++)
        worker_destroy(s->workers[i]);
    free(s->hub.shards);
    while (s->sites) {
        struct site_kept *kept = s->sites;
        s->sites = kept->before;
        site_destroy(kept->site);
        free(kept);
    }
    peers_destroy(s->peers);
    metrics_destroy(s->metrics);
    modules_free(s->modules);
    if (s->config != s->first_config)
        config_free(s->config);
    config_free(s->first_config);
    tls_finish();
}

void server_use_site(struct server *s, const struct config *config)
{
    struct site_kept *kept = mem_alloc(sizeof *kept);
    *kept = (struct site_kept){site_create(config), s->sites};
    s->sites = kept;
}

/* From a loaded configuration to the end. False: it did not come up. */
static bool serve(struct server *s)
{
    struct worker *control = s->workers[s->n_workers];
    worker_open(control);
    bool ok = init_modules(s);
    if (ok) {
        ok = check_rules(s) && start_workers(s);
        if (ok) {
            if (s->lifecycle)
                s->lifecycle(&control->shard, s->config, true);
            atomic_store(&s->state, SERVER_RUNNING);
            say_ready(s);
            system_notify("READY=1");
            control_run(s);
            if (s->lifecycle)
                s->lifecycle(&control->shard, NULL, false);
        }
        stop_workers(s);
        worker_end_connections(control);
        mailbox_close(&control->shard.box); /* nothing comes for modules that are no more */
        modules_finish(s->modules, control->shard.ctx);
    }
    worker_close(control);
    return ok;
}

int server_run(const char *config_path)
{
    struct server *s = &server;
    bool ok = load(s, config_path);
    if (ok && s->config->workers > WORKERS_MAX) {
        log_write(LOG_WARN, "workers", "at most %d workers", WORKERS_MAX);
    }
    if (ok) {
        s->n_workers = s->config->workers > WORKERS_MAX ? WORKERS_MAX : (int)s->config->workers;
        s->started_ms = clock_mono_ms();
        s->metrics = metrics_create(s->n_workers);
        s->peers = peers_create();
        metrics_core_register(s->metrics, HB_VERSION);
        system_raise_files(s->config);
        system_block_signals();
        ok = listen_bind(s);
    }
    if (ok) {
        server_use_site(s, s->config);
        make_hub(s);
        remote_register();
        ok = serve(s);
    }
    listen_unbind(s);
    destroy(s);
    if (ok)
        log_write(LOG_INFO, "stopped", "all sessions are closed");
    return ok ? 0 : 1;
}
