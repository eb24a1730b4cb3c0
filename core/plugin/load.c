#include "plugin/load.h"
#include "base/check.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "plugin/check_host.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a module's fault is told: at its options, or at the file of a drop-in. */
static void tell(struct errors *errors, const struct module *mod, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct errors *errors, const struct module *mod, const char *fmt, ...)
{
    char text[MODULE_WHY];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (mod->kind == MODULE_DROP_IN)
        errors_add(errors, mod->path, 0, 0, "%s", text);
    else
        errors_at(errors, mod->node, "%s: %s", mod->name, text);
}

/* Ask the module itself. It tells by a sentence, by node_error, or only that it is against it. */
static bool ask_check(const struct module *mod, const void *options, struct errors *errors)
{
    char why[MODULE_WHY] = "";
    struct check_host host;
    size_t before = errors->fatal;
    if (!mod->m->check)
        return true;
    check_host_init(&host, errors);
    if (mod->m->check(&host.host, options, why, sizeof why) == 0)
        return errors->fatal == before;
    if (why[0])
        tell(errors, mod, "%s", why);
    else if (errors->fatal == before)
        tell(errors, mod, "it does not say why, but its options won't do");
    return false;
}

/* Options from the YAML into a struct that lives in the configuration, and checked. */
static bool read_options(const struct module *mod, const hb_node *node, struct arena *arena,
    const void **out, struct errors *errors)
{
    static const hb_option none[] = {{.key = NULL}};
    void *options = arena_alloc(arena, mod->m->options_size ? mod->m->options_size : 1);
    if (!options_read(node, mod->m->options ? mod->m->options : none, options, errors))
        return false;
    if (!ask_check(mod, options, errors))
        return false;
    *out = mod->m->options ? options : NULL;
    return true;
}

static bool load(struct module *mod, struct config *c, struct errors *errors)
{
    char why[MODULE_WHY];
    if (!module_open(mod, why)) {
        tell(errors, mod, "not loaded: %s", why);
        return false;
    }
    if (mod->kind == MODULE_TRANSPORT && !(mod->roles & ROLE_TRANSPORT)) {
        tell(errors, mod, "not loaded: it is no transport; plugins are named under 'plugins.load'");
        return false;
    }
    return read_options(mod, mod->node, &c->arena, &mod->options, errors);
}

/* The fault that was told first since `before`, for those who look at this module alone. */
static const char *first_fault(const struct errors *errors, size_t before)
{
    return before < errors->n ? errors->items[before].message : "not loaded: see the other faults";
}

static void load_wanted(struct modules *m, const struct wanted *want, struct config *c,
    struct errors *errors)
{
    struct module *mod = module_create(want->name, want->path ? want->path : "", want->kind);
    size_t before = errors->n;
    mod->node = want->node;
    m->items[m->n++] = mod;
    if (!want->path)
        module_set_status(mod, "there is no such file");
    else if (!want->node)
        module_set_status(mod, "its options can't be read");
    else if (load(mod, c, errors))
        module_set_status(mod, "loaded");
    else
        module_set_status(mod, first_fault(errors, before));
}

static void check_one_backend(const struct modules *m, struct errors *errors)
{
    const struct module *first = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct module *mod = m->items[i];
        if (!mod->m || !(mod->roles & ROLE_BACKEND))
            continue;
        if (first)
            tell(errors, mod, "there is a backend already, '%s': only one can keep the rooms",
                first->name);
        else
            first = mod;
    }
}

struct modules *modules_load(struct config *c, struct errors *errors)
{
    struct modules *m = mem_zalloc(sizeof *m);
    struct wanted_list *wanted = mem_alloc(sizeof *wanted);
    find_wanted(c, wanted, errors);
    for (size_t i = 0; i < wanted->n; i++)
        load_wanted(m, &wanted->items[i], c, errors);
    check_one_backend(m, errors);
    free(wanted);
    return m;
}

void modules_free(struct modules *m)
{
    if (!m)
        return;
    while (m->n > 0)
        module_destroy(m->items[--m->n]);
    free(m);
}

struct module *modules_find(const struct modules *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->items[i]->name, name) == 0)
            return m->items[i];
    return NULL;
}

/* ---- reload ---- */

static bool same_node(const hb_node *a, const hb_node *b)
{
    if (!a || !b || a->kind != b->kind || a->n != b->n || !str_eq(a->text, b->text))
        return a == b;
    for (size_t i = 0; i < (a->kind == NODE_MAP ? 2 * a->n : a->n); i++)
        if (!same_node(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_modules(const struct modules *m, const struct wanted_list *wanted,
    struct errors *errors, const char *file)
{
    bool same = m->n == wanted->n;
    for (size_t i = 0; same && i < m->n; i++)
        same = strcmp(m->items[i]->name, wanted->items[i].name) == 0 &&
            m->items[i]->kind == wanted->items[i].kind &&
            (!wanted->items[i].path || strcmp(m->items[i]->path, wanted->items[i].path) == 0);
    if (!same)
        errors_add(errors, file, 0, 0, "other transports or plugins than those that run, or in "
            "another order: that takes a restart");
    return same;
}

static void plan_one(const struct module *mod, const hb_node *node, struct config *next,
    const void **options, const hb_node **node_out, struct errors *errors)
{
    *options = mod->options;
    *node_out = mod->node;
    if (!node)
        return;
    if (mod->m->reload || mod->m->worker_reload) {
        *node_out = node;
        read_options(mod, node, &next->arena, options, errors);
    } else if (!same_node(mod->node, node)) {
        errors_at(errors, node, "%s: its options can't change while it runs: that takes a restart",
            mod->name);
    }
}

bool modules_plan(const struct modules *m, struct config *next, struct modules_plan *out,
    struct errors *errors)
{
    size_t before = errors->fatal;
    struct wanted_list *wanted = mem_alloc(sizeof *wanted);
    find_wanted(next, wanted, errors);
    if (same_modules(m, wanted, errors, next->file))
        for (size_t i = 0; i < m->n; i++)
            plan_one(m->items[i], wanted->items[i].node, next, &out->options[i], &out->nodes[i],
                errors);
    free(wanted);
    return errors->fatal == before;
}
