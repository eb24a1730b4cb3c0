#include "plugin/run.h"
#include "base/log.h"
#include <stdio.h>

static hb_ctx context(const struct module *mod, const hb_host *host, int worker)
{
    return (hb_ctx){.host = host, .self = mod->self, .options = mod->options, .worker = worker};
}

static void finish_first(struct modules *m, size_t n, hb_ctx ctx[])
{
    while (n-- > 0)
        if (m->items[n]->m->finish)
            m->items[n]->m->finish(&ctx[n]);
}

static void tell_failed(struct module *mod, const char *why, struct errors *errors)
{
    char text[MODULE_WHY];
    snprintf(text, sizeof text, "%s: %s", mod->name, why[0] ? why : "its init failed");
    module_set_status(mod, text);
    errors_at(errors, mod->node, "%s", text);
}

bool modules_init(struct modules *m, const hb_host *host, hb_ctx ctx[static MODULES_MAX],
    struct errors *errors)
{
    for (size_t i = 0; i < m->n; i++) {
        struct module *mod = m->items[i];
        char why[MODULE_WHY] = "";
        ctx[i] = context(mod, host, -1);
        mod->started = true; /* even one that fails may have left threads or handlers behind */
        if (mod->m->init && mod->m->init(&ctx[i], &mod->self, why, sizeof why) != 0) {
            tell_failed(mod, why, errors);
            finish_first(m, i, ctx);
            return false;
        }
        ctx[i].self = mod->self;
        log_write(LOG_INFO, "module", "loaded name=%s version=%s path=%s", mod->name,
            mod->m->version, mod->path);
    }
    return true;
}

void modules_finish(struct modules *m, hb_ctx ctx[static MODULES_MAX])
{
    finish_first(m, m->n, ctx);
}

static void worker_finish_first(const struct modules *m, size_t n, hb_ctx ctx[])
{
    while (n-- > 0) {
        if (m->items[n]->m->worker_finish)
            m->items[n]->m->worker_finish(&ctx[n]);
        ctx[n].local = NULL;
    }
}

bool modules_worker_init(const struct modules *m, const hb_host *host, int worker,
    hb_ctx ctx[static MODULES_MAX])
{
    for (size_t i = 0; i < m->n; i++) {
        const struct module *mod = m->items[i];
        void *local = NULL;
        ctx[i] = context(mod, host, worker);
        if (mod->m->worker_init && mod->m->worker_init(&ctx[i], &local) != 0) {
            log_write(LOG_ERROR, "module", "%s could not start on worker %d", mod->name, worker);
            worker_finish_first(m, i, ctx);
            return false;
        }
        ctx[i].local = local;
    }
    return true;
}

void modules_worker_finish(const struct modules *m, hb_ctx ctx[static MODULES_MAX])
{
    worker_finish_first(m, m->n, ctx);
}

void modules_reload(struct modules *m, const struct modules_plan *plan,
    hb_ctx ctx[static MODULES_MAX])
{
    for (size_t i = 0; i < m->n; i++) {
        struct module *mod = m->items[i];
        mod->options = ctx[i].options = plan->options[i];
        mod->node = plan->nodes[i];
        if (mod->m->reload)
            mod->m->reload(&ctx[i]);
    }
}

void modules_worker_reload(const struct modules *m, hb_ctx ctx[static MODULES_MAX])
{
    for (size_t i = 0; i < m->n; i++) {
        ctx[i].options = m->items[i]->options;
        if (m->items[i]->m->worker_reload)
            m->items[i]->m->worker_reload(&ctx[i]);
    }
}
