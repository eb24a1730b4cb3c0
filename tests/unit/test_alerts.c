#include "admin/alerts.h"
#include "base/str.h"
#include "unit.h"
#include <math.h>
#include <string.h>

static struct metrics *metrics;
static metric_id level, hits[2], times;
static struct config *config;
static struct rule rule;
static uint64_t now;

static struct metrics_shard *shard(int worker)
{
    return metrics_shard(metrics, worker);
}

/* One rule, at a time when nothing has been counted. */
static void begin(const char *text)
{
    struct errors errors;
    struct buf yaml = BUF_INIT;
    errors_init(&errors);
    buf_printf(&yaml, "alerts: {rules: [{alert: A, %s}]}\n", text);
    config = config_parse("test", buf_view(&yaml), &errors);
    CHECK(config != NULL);
    metrics = metrics_create(2);
    level = metrics_register(metrics, METRIC_GAUGE, "level", "x", NULL);
    hits[0] = metrics_register(metrics, METRIC_COUNTER, "hits_total", "x", "kind=\"good\"");
    hits[1] = metrics_register(metrics, METRIC_COUNTER, "hits_total", "x", "kind=\"bad\"");
    times = metrics_register(metrics, METRIC_HISTOGRAM, "time_seconds", "x", NULL);
    rule_init(&rule, &config->alerts.items[0]);
    now = 1000000;
    errors_finish(&errors);
    buf_finish(&yaml);
}

static void end(void)
{
    rule_finish(&rule);
    config_free(config);
    metrics_destroy(metrics);
}

static enum rule_change tick(void)
{
    struct reading *all[] = {&rule.metric, &rule.of};
    now += 1000;
    reading_take(all, rule.of.name.p ? 2 : 1, metrics, true);
    return rule_tick(&rule, now, (int64_t)now);
}

static enum rule_change ticks(int n)
{
    enum rule_change last = RULE_SAME;
    while (n-- > 0)
        last = tick();
    return last;
}

TEST(a_threshold_is_the_sum_over_labels_and_threads)
{
    begin("metric: hits_total, above: 4");
    CHECK_INT(tick(), RULE_SAME);
    metrics_add(shard(0), hits[0], 2);
    metrics_add(shard(1), hits[1], 2);
    CHECK_INT(tick(), RULE_SAME);
    metrics_add(shard(1), hits[0], 1);
    CHECK_INT(tick(), RULE_FIRED);
    CHECK(rule.value == 5);
    end();
}

TEST(labels_select_whole_values)
{
    begin("metric: 'hits_total{kind=\"bad\"}', above: 0");
    metrics_add(shard(0), hits[0], 9);
    CHECK_INT(tick(), RULE_SAME);
    metrics_add(shard(0), hits[1], 1);
    CHECK_INT(tick(), RULE_FIRED);
    end();
}

TEST(it_is_pending_for_its_time_and_a_dip_begins_anew)
{
    begin("metric: level, above: 0, for: 3s");
    metrics_add(shard(0), level, 1);
    CHECK_INT(tick(), RULE_BEGAN);
    CHECK_INT(ticks(2), RULE_SAME);
    CHECK_INT(rule.state, RULE_PENDING);
    metrics_add(shard(0), level, -1);
    CHECK_INT(tick(), RULE_ENDED);
    metrics_add(shard(0), level, 1);
    CHECK_INT(tick(), RULE_BEGAN);
    CHECK_INT(ticks(3), RULE_FIRED);
    CHECK_INT(ticks(5), RULE_SAME);
    metrics_add(shard(0), level, -1);
    CHECK_INT(tick(), RULE_RESOLVED);
    CHECK_INT(rule.resolved_at, (int64_t)now);
    end();
}

TEST(a_rate_is_growth_per_second_over_the_window)
{
    begin("metric: hits_total, rate: 10s, above: 1");
    ticks(20);
    metrics_add(shard(0), hits[0], 10);
    CHECK_INT(tick(), RULE_SAME); /* exactly one a second */
    metrics_add(shard(0), hits[0], 1);
    CHECK_INT(tick(), RULE_FIRED);
    CHECK(fabs(rule.value - 1.1) < 1e-9);
    ticks(9);
    CHECK_INT(rule.state, RULE_QUIET);
    end();
}

TEST(a_burst_at_the_start_is_spread_over_the_whole_window)
{
    begin("metric: hits_total, rate: 1m, above: 1");
    tick();
    metrics_add(shard(0), hits[0], 50);
    CHECK_INT(tick(), RULE_SAME);
    end();
}

TEST(a_spike_is_told_from_a_full_window_of_the_past)
{
    begin("metric: level, spike: {factor: 3, over: 10s, floor: 20}");
    metrics_add(shard(0), level, 5);
    CHECK_INT(ticks(5), RULE_SAME);
    metrics_add(shard(0), level, 500);
    CHECK_INT(tick(), RULE_SAME); /* not one window yet */
    metrics_add(shard(0), level, -500);
    ticks(20);
    metrics_add(shard(0), level, 15);
    CHECK_INT(tick(), RULE_SAME); /* four times as many, but not above the floor */
    metrics_add(shard(0), level, 1);
    CHECK_INT(tick(), RULE_FIRED);
    CHECK_INT(ticks(15), RULE_SAME);
    CHECK_INT(rule.state, RULE_QUIET); /* what lasts is the past by now */
    end();
}

TEST(a_steady_level_never_fires)
{
    begin("metric: level, spike: {factor: 1.2, over: 60s}");
    for (int i = 0; i < 3600; i++) {
        metrics_set(shard(0), level, 1000 + i * 7919 % 100);
        CHECK_INT(tick(), RULE_SAME);
    }
    end();
}

TEST(a_collapse_needs_something_that_fell)
{
    begin("metric: level, collapse: {factor: 0.5, over: 10s, floor: 10}");
    metrics_add(shard(0), level, 9);
    ticks(20);
    metrics_add(shard(0), level, -9);
    CHECK_INT(tick(), RULE_SAME);
    metrics_add(shard(0), level, 100);
    ticks(20);
    metrics_add(shard(0), level, -60);
    CHECK_INT(tick(), RULE_FIRED);
    end();
}

TEST(a_ratio_waits_for_enough_to_divide_by)
{
    begin("metric: 'hits_total{kind=\"bad\"}', of: hits_total, of_min: 10, above: 0.2");
    metrics_add(shard(0), hits[1], 5);
    CHECK_INT(tick(), RULE_SAME);
    metrics_add(shard(0), hits[0], 10);
    CHECK_INT(tick(), RULE_FIRED);
    CHECK(fabs(rule.value - 1.0 / 3) < 1e-9);
    end();
}

TEST(a_quantile_is_of_what_came_in_the_window)
{
    begin("metric: time_seconds, quantile: 0.5, over: 10s, above: 0.1");
    metrics_observe(shard(0), times, 2000000000, 100);
    ticks(2);
    CHECK_INT(rule.state, RULE_QUIET); /* that was before */
    metrics_observe(shard(0), times, 1000000, 50);
    CHECK_INT(tick(), RULE_SAME);
    metrics_observe(shard(0), times, 1000000000, 60);
    CHECK_INT(tick(), RULE_FIRED);
    ticks(12);
    CHECK_INT(rule.state, RULE_QUIET); /* none came */
    end();
}

TEST(a_long_window_has_bounded_memory)
{
    struct window w;
    double sum = 0;
    window_init(&w, 24 * 3600 * 1000, 1);
    for (uint64_t t = 1; t <= 48 * 3600; t++) {
        double v = (double)t;
        window_advance(&w, t * 1000);
        window_put(&w, t * 1000, &v);
        sum += v;
    }
    CHECK(w.n <= WINDOW_POINTS + 2);
    CHECK(fabs(window_mean(&w) - 36 * 3600) < 600);
    CHECK(sum > 0 && window_full(&w, 48ull * 3600 * 1000));
    window_finish(&w);
}

TEST(the_value_is_put_into_texts)
{
    static const struct {
        const char *text, *filled;
    } cases[] = {{"{{value}}", "1.5"}, {"a {{ value }} b {{$value}}", "a 1.5 b 1.5"}, {"{{other}} {{value", "{{other}} {{value"},
        {"", ""}, {"}}{{", "}}{{"}, {"{{value}}}}", "1.5}}"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = BUF_INIT;
        alerts_text_fill(&out, str_of(cases[i].text), 1.5);
        CHECK(str_eq(buf_view(&out), str_of(cases[i].filled)) || (out.n == 0 && !*cases[i].filled));
        buf_finish(&out);
    }
}

TEST(the_built_in_rules_are_a_configuration)
{
    struct errors errors;
    errors_init(&errors);
    struct config *of = config_parse("test", HB_STR("limits: {connections: 1000}\n"), &errors);
    struct config *c = alerts_default(of);
    CHECK(c->alerts.n >= 10);
    CHECK_STR(str_of(c->alerts.items[2].alert), "NearConnectionLimit");
    CHECK(c->alerts.items[2].above == 900);
    config_free(c);
    config_free(of);
    errors_finish(&errors);
}
