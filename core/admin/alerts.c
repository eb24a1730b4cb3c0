#include "admin/alerts.h"
#include "admin/admin.h"
#include "admin/notify.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    PROCESS_TICKS = 15,          /* the process's own numbers cost more */
    REMIND_TICKS = 60,           /* Alertmanager forgets what it is not told again */
    RULES_MAX = ALERTS_MAX + 16, /* and those that are built in */
};

static struct {
    struct shard *control;
    const struct config *config;
    struct config *defaults;   /* owned: the built-in rules */
    struct rule *rules;        /* owned */
    struct reading **readings; /* owned: those of the rules */
    size_t n, n_readings;
    struct timer timer;
    uint64_t ticks;
    bool fresh; /* rules came that have read nothing yet */
} alerts;

/* --- telling -------------------------------------------------------------------------------------- */

/* A target that was away hears of each alert once that it fired and once that it is over, as these
 * stand last: what would come before is of no use to anybody any more. */
static void put_kind(struct buf *out, const struct config_notify *to, const struct rule *r)
{
    buf_lit(out, r->state == RULE_FIRING ? "firing " : "resolved ");
    buf_lit(out, to->format == NOTIFY_JSON ? "json " : "alertmanager ");
    buf_lit(out, r->config->alert);
}

static void tell_one(const struct config_notify *to, const struct rule *r)
{
    struct buf body = BUF_INIT, kind = BUF_INIT;
    put_kind(&kind, to, r);
    if (to->format == NOTIFY_JSON) {
        buf_lit(&body, "{\"status\":\"success\",\"data\":{\"alerts\":[");
        alerts_text_state(&body, r, alerts.config->node);
        buf_lit(&body, "]}}");
    } else {
        buf_char(&body, '[');
        alerts_text_manager(&body, r, alerts.config, clock_wall_ms());
        buf_char(&body, ']');
    }
    notify_send(str_of(to->webhook), buf_view(&kind), buf_view(&body));
    buf_finish(&body);
    buf_finish(&kind);
}

static void tell(const struct rule *r)
{
    for (size_t i = 0; i < alerts.config->notify.n; i++)
        tell_one(&alerts.config->notify.items[i], r);
}

static void remind(void)
{
    for (size_t i = 0; i < alerts.config->notify.n; i++)
        for (size_t k = 0; k < alerts.n; k++)
            if (alerts.config->notify.items[i].format == NOTIFY_ALERTMANAGER &&
                alerts.rules[k].state == RULE_FIRING)
                tell_one(&alerts.config->notify.items[i], &alerts.rules[k]);
}

static void tell_log(const struct rule *r, bool firing)
{
    log_write(firing ? LOG_WARN : LOG_INFO, "alert", "%s %s value=%.6g metric=%s", r->config->alert,
        firing ? "fires" : "is resolved", r->value, r->config->metric);
}

static void on_change(const struct rule *r, enum rule_change change)
{
    if (change != RULE_FIRED && change != RULE_RESOLVED)
        return;
    tell_log(r, change == RULE_FIRED);
    tell(r);
}

/* --- looking -------------------------------------------------------------------------------------- */

static void look(void)
{
    struct server_status st;
    uint64_t now = clock_mono_ms();
    int64_t wall = clock_wall_ms();
    server_status(&st);
    reading_take(alerts.readings, alerts.n_readings, st.metrics,
        alerts.fresh || alerts.ticks % PROCESS_TICKS == 0);
    alerts.fresh = false;
    for (size_t i = 0; i < alerts.n; i++)
        on_change(&alerts.rules[i], rule_tick(&alerts.rules[i], now, wall));
    if (++alerts.ticks % REMIND_TICKS == 0)
        remind();
}

/* While it drains everything falls, as it should: what stands stays as it is. */
static void on_tick(struct timer *t)
{
    struct server_status st;
    server_status(&st);
    if (st.state <= SERVER_RUNNING)
        look();
    timer_set(&alerts.control->wheel, t, clock_mono_ms() + TICK_MS);
}

/* --- rules ---------------------------------------------------------------------------------------- */

static bool is_replaced(const struct config *by, const struct config_alert *a)
{
    for (size_t i = 0; i < by->alerts.n; i++)
        if (strcmp(by->alerts.items[i].alert, a->alert) == 0)
            return true;
    return false;
}

static size_t add_rules(
    struct rule *to, size_t n, const struct config *from, const struct config *by)
{
    for (size_t i = 0; i < from->alerts.n && n < RULES_MAX; i++)
        if (!by || !is_replaced(by, &from->alerts.items[i]))
            rule_init(&to[n++], &from->alerts.items[i]);
    return n;
}

static void inherit(struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < alerts.n; k++)
            if (alerts.rules[k].config && rule_same(&alerts.rules[k], rules[i].config)) {
                rule_take_over(&rules[i], &alerts.rules[k]);
                break;
            }
}

/* Rules that are no more: what fired is over. */
static void drop_rules(void)
{
    for (size_t k = 0; k < alerts.n; k++) {
        struct rule *r = &alerts.rules[k];
        if (r->config && r->state == RULE_FIRING) {
            r->state = RULE_QUIET;
            r->resolved_at = clock_wall_ms();
            on_change(r, RULE_RESOLVED);
        }
        rule_finish(r);
    }
    free(alerts.rules);
    free(alerts.readings);
    alerts.rules = NULL;
    alerts.readings = NULL;
    alerts.n = alerts.n_readings = 0;
}

static void list_readings(void)
{
    alerts.readings = mem_alloc((2 * alerts.n + 1) * sizeof(*alerts.readings));
    for (size_t i = 0; i < alerts.n; i++) {
        alerts.readings[alerts.n_readings++] = &alerts.rules[i].metric;
        if (alerts.rules[i].of.name.p)
            alerts.readings[alerts.n_readings++] = &alerts.rules[i].of;
    }
}

void alerts_use(struct shard *control, const struct config *config)
{
    struct config *defaults = alerts_default(config);
    struct rule *rules = mem_zalloc(RULES_MAX * sizeof(*rules));
    size_t n = add_rules(rules, 0, config, NULL);
    if (config->alert_defaults)
        n = add_rules(rules, n, defaults, config);
    inherit(rules, n);
    if (alerts.config)
        drop_rules();
    else
        timer_init(&alerts.timer, on_tick);
    config_free(alerts.defaults);
    alerts.control = control;
    alerts.config = config;
    alerts.defaults = defaults;
    alerts.rules = rules;
    alerts.n = n;
    alerts.fresh = true;
    list_readings();
    timer_set(&control->wheel, &alerts.timer, clock_mono_ms() + TICK_MS);
}

void alerts_finish(void)
{
    if (!alerts.config)
        return;
    timer_cancel(&alerts.control->wheel, &alerts.timer);
    for (size_t k = 0; k < alerts.n; k++)
        rule_finish(&alerts.rules[k]);
    free(alerts.rules);
    free(alerts.readings);
    config_free(alerts.defaults);
    memset(&alerts, 0, sizeof(alerts));
    notify_finish();
}

/* --- showing -------------------------------------------------------------------------------------- */

size_t alerts_count(enum rule_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < alerts.n; i++)
        n += alerts.rules[i].state == state;
    return n;
}

void alerts_json(struct buf *out)
{
    bool first = true;
    buf_char(out, '[');
    for (size_t i = 0; i < alerts.n; i++) {
        if (alerts.rules[i].state == RULE_QUIET)
            continue;
        buf_lit(out, first ? "" : ",");
        alerts_text_state(out, &alerts.rules[i], alerts.config->node);
        first = false;
    }
    buf_char(out, ']');
}

void admin_alerts(struct admin_call *call)
{
    struct buf out = BUF_INIT;
    buf_lit(&out, "{\"status\":\"success\",\"data\":{\"alerts\":");
    alerts_json(&out);
    buf_lit(&out, "}}\n");
    admin_json(call, 200, buf_view(&out));
    buf_finish(&out);
}
