#include "admin/rule.h"
#include "base/log.h"
#include "base/str.h"
#include <math.h>
#include <string.h>

static bool divides(const struct config_alert *a)
{
    return a->of && *a->of;
}

static const struct config_change *change_of(const struct config_alert *a)
{
    return a->kind == ALERT_SPIKE ? &a->spike : a->kind == ALERT_COLLAPSE ? &a->collapse : NULL;
}

void rule_init(struct rule *r, const struct config_alert *config)
{
    const struct config_change *change = change_of(config);
    memset(r, 0, sizeof(*r));
    r->config = config;
    reading_init(&r->metric, config->metric);
    if (divides(config))
        reading_init(&r->of, config->of);
    if (config->rate_ms > 0)
        window_init(&r->rate, (uint64_t)config->rate_ms, 2);
    if (change)
        window_init(&r->past, (uint64_t)change->over_ms, 1);
    else if (config->kind == ALERT_QUANTILE)
        window_init(&r->past, (uint64_t)config->over_ms, READING_BUCKETS);
}

void rule_finish(struct rule *r)
{
    window_finish(&r->rate);
    window_finish(&r->past);
}

static bool same_change(const struct config_change *a, const struct config_change *b)
{
    return a->factor == b->factor && a->over_ms == b->over_ms && a->floor == b->floor;
}

bool rule_same(const struct rule *before, const struct config_alert *b)
{
    const struct config_alert *a = before->config;
    return !strcmp(a->alert, b->alert) && !strcmp(a->metric, b->metric) && !strcmp(a->of, b->of) &&
        a->kind == b->kind && a->of_min == b->of_min && a->has_above == b->has_above &&
        a->above == b->above && a->below == b->below && a->rate_ms == b->rate_ms &&
        a->quantile == b->quantile && a->over_ms == b->over_ms && a->for_ms == b->for_ms &&
        same_change(&a->spike, &b->spike) && same_change(&a->collapse, &b->collapse);
}

/* What was read stays; the texts were the old configuration's. */
static void renew(struct reading *r, const char *metric)
{
    const struct reading before = *r;
    reading_init(r, metric);
    r->found = before.found;
    r->kind = before.kind;
    r->value = before.value;
    memcpy(r->buckets, before.buckets, sizeof(r->buckets));
}

void rule_take_over(struct rule *r, struct rule *from)
{
    const struct config_alert *config = r->config;
    rule_finish(r);
    *r = *from;
    r->config = config;
    renew(&r->metric, config->metric);
    if (divides(config))
        renew(&r->of, config->of);
    memset(from, 0, sizeof(*from));
}

/* --- the value ------------------------------------------------------------------------------------ */

/* Growth per second over the window. What was before the first point counts as no growth: a counter
 * begins at 0 with the process. */
static void put_growth(struct rule *r, uint64_t now_ms, double now[2])
{
    double point[2] = {now[0], now[1]};
    window_advance(&r->rate, now_ms);
    const double *then = window_oldest(&r->rate);
    for (int i = 0; i < 2; i++)
        now[i] = then ? (point[i] - then[i]) * 1000 / (double)r->rate.over_ms : 0;
    window_put(&r->rate, now_ms, point);
}

static double quantile(struct rule *r, uint64_t now_ms)
{
    double now[READING_BUCKETS], grown[READING_BUCKETS];
    for (int b = 0; b < READING_BUCKETS; b++)
        now[b] = (double)r->metric.buckets[b];
    window_advance(&r->past, now_ms);
    const double *then = window_oldest(&r->past);
    for (int b = 0; b < READING_BUCKETS; b++)
        grown[b] = then ? now[b] - then[b] : 0;
    window_put(&r->past, now_ms, now);
    return reading_quantile(grown, r->config->quantile);
}

/* NAN: there is none now. */
static double value_of(struct rule *r, uint64_t now_ms)
{
    double pair[2] = {r->metric.value, r->of.value};
    if (r->config->kind == ALERT_QUANTILE)
        return quantile(r, now_ms);
    if (r->config->rate_ms > 0)
        put_growth(r, now_ms, pair);
    if (!divides(r->config))
        return pair[0];
    return pair[1] > r->config->of_min && pair[1] > 0 ? pair[0] / pair[1] : NAN;
}

/* Against its own past, which the value joins afterwards. */
static bool has_changed(struct rule *r, uint64_t now_ms)
{
    const struct config_change *c = change_of(r->config);
    window_advance(&r->past, now_ms);
    double mean = window_mean(&r->past), bound = mean * c->factor;
    bool known = window_full(&r->past, now_ms);
    window_put(&r->past, now_ms, &r->value);
    if (r->config->kind == ALERT_SPIKE)
        return known && r->value > (bound > c->floor ? bound : c->floor);
    return known && mean > c->floor && r->value < bound;
}

static bool holds(struct rule *r, uint64_t now_ms)
{
    double value = value_of(r, now_ms);
    if (isnan(value))
        return false;
    r->value = value;
    if (change_of(r->config))
        return has_changed(r, now_ms);
    return r->config->has_above ? value > r->config->above : value < r->config->below;
}

/* --- where it stands -------------------------------------------------------------------------------- */

static void tell_missing(struct rule *r)
{
    bool missing = !r->metric.found || (divides(r->config) && !r->of.found);
    if (missing && !r->told_missing)
        log_write(LOG_WARN, "alerts", "%s: there is no metric %s; it never fires", r->config->alert,
            r->metric.found ? r->config->of : r->config->metric);
    r->told_missing = missing;
}

enum rule_change rule_tick(struct rule *r, uint64_t now_ms, int64_t wall_ms)
{
    enum rule_state before = r->state;
    tell_missing(r);
    if (!r->metric.found || !holds(r, now_ms)) {
        r->state = RULE_QUIET;
        if (before == RULE_FIRING)
            r->resolved_at = wall_ms;
        return before == RULE_FIRING ? RULE_RESOLVED : before == RULE_PENDING ? RULE_ENDED : RULE_SAME;
    }
    if (before == RULE_FIRING)
        return RULE_SAME;
    if (before == RULE_QUIET) {
        r->since_ms = now_ms;
        r->active_at = wall_ms;
        r->resolved_at = 0;
    }
    bool long_enough = now_ms >= r->since_ms + (uint64_t)r->config->for_ms;
    r->state = long_enough ? RULE_FIRING : RULE_PENDING;
    return long_enough ? RULE_FIRED : before == RULE_QUIET ? RULE_BEGAN : RULE_SAME;
}
