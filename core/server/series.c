#include "server/series.h"
#include "base/process.h"
#include "base/reading.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/parse.h"
#include <string.h>

/* ---- modules ---- */

static void register_hooks(struct metrics *m, struct module_ref *ref)
{
    const hb_hooks *h = ref->desc->hooks;
    const struct {
        bool has;
        const char *name;
    } hooks[HOOK_COUNT] = {
        [HOOK_CONNECT] = {h->connect, "connect"},
        [HOOK_JOIN] = {h->join, "join"},
        [HOOK_PUBLISH] = {h->publish, "publish"},
        [HOOK_CALL] = {h->call, "call"},
        [HOOK_PRESENCE] = {h->presence, "presence"},
        [HOOK_OPENED] = {h->opened, "opened"},
        [HOOK_JOINED] = {h->joined, "joined"},
        [HOOK_LEFT] = {h->left, "left"},
        [HOOK_PUBLISHED] = {h->published, "published"},
        [HOOK_CLOSED] = {h->closed, "closed"},
        [HOOK_PRESENCE_CHANGED] = {h->presence_changed, "presence_changed"},
        [HOOK_ENTERED] = {h->entered, "entered"},
        [HOOK_AUTHENTICATED] = {h->authenticated, "authenticated"},
    };
    for (int i = 0; i < HOOK_COUNT; i++)
        if (hooks[i].has)
            ref->hook_seconds[i] = metrics_core_hook(m, ref->desc->name, hooks[i].name);
}

void series_register(struct metrics *m, struct module_ref *ref)
{
    if (ref->desc->transport)
        metrics_core_transport(m, ref->desc->name, &ref->metrics);
    if (ref->desc->hooks)
        register_hooks(m, ref);
}

/* ---- rules ---- */

/* One selector of a rule, against all series. */
struct search {
    struct reading selector;
    bool name_known, found, histogram;
    bool label_known[READING_LABELS_MAX];
    const char *names[METRICS_FAMILIES_MAX + 16]; /* of all families */
    size_t n_names;
};

static void look_at(const struct metrics_sample *s, void *arg)
{
    struct search *search = arg;
    if (search->n_names == 0 || strcmp(search->names[search->n_names - 1], s->name) != 0)
        if (search->n_names < sizeof search->names / sizeof search->names[0])
            search->names[search->n_names++] = s->name;
    if (!str_eq(search->selector.name, str_of(s->name)))
        return;
    search->name_known = true;
    search->histogram = s->kind == METRIC_HISTOGRAM;
    search->found |= reading_selects(&search->selector, s);
    for (int i = 0; i < search->selector.n_labels; i++)
        search->label_known[i] |= reading_has_label(s, search->selector.labels[i]);
}

/* By convention a module's metrics begin with "hubbub_" and its name. */
static bool may_be_of(const struct modules *unstarted, hb_str metric)
{
    for (size_t i = 0; i < unstarted->n; i++) {
        hb_str rest = str_sub(metric, strlen("hubbub_"), SIZE_MAX);
        const char *name = unstarted->items[i]->name;
        size_t n = strlen(name), same = 0;
        while (same < n && same < rest.n && rest.p[same] == (name[same] == '-' ? '_' : name[same]))
            same++;
        if (same == n && same < rest.n && rest.p[same] == '_')
            return true;
    }
    return false;
}

static void tell_unknown(const struct search *search, const hb_node *at, const char *key,
    const struct modules *unstarted, struct errors *errors)
{
    hb_str name = search->selector.name;
    const char *near = options_nearest(name, search->names, search->n_names);
    bool ours = str_starts(name, HB_STR("hubbub_")) || str_starts(name, HB_STR("process_"));
    if (unstarted && may_be_of(unstarted, name))
        return;
    if (near)
        errors_at(errors, at, "'%s': there is no metric '%.*s'; did you mean '%s'?", key,
            (int)name.n, name.p, near);
    else if (unstarted && !ours)
        errors_warn(errors, at,
            "'%s': '%.*s' is no metric of the core; whether a plugin has it will "
            "be known when it runs",
            key, (int)name.n, name.p);
    else
        errors_at(errors, at, "'%s': there is no metric '%.*s'", key, (int)name.n, name.p);
}

static void tell_no_series(
    const struct search *search, const hb_node *at, const char *key, struct errors *errors)
{
    const struct reading *r = &search->selector;
    for (int i = 0; i < r->n_labels; i++)
        if (!search->label_known[i]) {
            errors_at(errors, at, "'%s': '%.*s' never has the label %.*s", key, (int)r->name.n,
                r->name.p, (int)r->labels[i].n, r->labels[i].p);
            return;
        }
    errors_at(
        errors, at, "'%s': no '%.*s' has all of these labels", key, (int)r->name.n, r->name.p);
}

static void check_selector(const struct config_alert *a, const char *key, const char *metric,
    const struct metrics *m, const struct modules *unstarted, struct errors *errors)
{
    struct search search = {0};
    const hb_node *at = node_get(a->node, str_of(key));
    reading_init(&search.selector, metric);
    metrics_each(m, look_at, &search);
    process_each(look_at, &search);
    if (!search.name_known)
        tell_unknown(&search, at, key, unstarted, errors);
    else if (!search.found)
        tell_no_series(&search, at, key, errors);
    else if (a->kind == ALERT_QUANTILE && !search.histogram)
        errors_at(errors, at, "'%s': only histograms have quantiles", key);
}

void series_check_rules(const struct config *c, const struct metrics *m,
    const struct modules *unstarted, struct errors *errors)
{
    for (size_t i = 0; i < c->alerts.n; i++) {
        const struct config_alert *a = &c->alerts.items[i];
        if (!a->node || !*a->metric) /* told already */
            continue;
        check_selector(a, "metric", a->metric, m, unstarted, errors);
        if (*a->of)
            check_selector(a, "of", a->of, m, unstarted, errors);
    }
}

void series_check_draft(
    const struct config *c, const struct modules *modules, struct errors *errors)
{
    struct metrics *m = metrics_create(0);
    metrics_core_register(m, HB_VERSION);
    for (size_t i = 0; i < modules->n; i++) {
        struct module_ref ref = {.desc = modules->items[i]->m};
        if (ref.desc)
            series_register(m, &ref);
    }
    series_check_rules(c, m, modules, errors);
    metrics_destroy(m);
}
