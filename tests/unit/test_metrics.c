/* core/base/metrics.h, metrics_text.h, metrics_core.h, process.h */
#include "unit.h"
#include "base/metrics_core.h"
#include "base/metrics_text.h"
#include "base/process.h"
#include "base/str.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char page[1 << 20];

static const char *rendered(const struct metrics *m)
{
    struct buf out = BUF_INIT;
    metrics_render(m, &out);
    CHECK(!out.failed && out.n < sizeof page);
    memcpy(page, out.p, out.n);
    page[out.n] = '\0';
    buf_finish(&out);
    return page;
}

static bool has_line(const struct metrics *m, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = rendered(m); p; p = (p = strchr(p, '\n')) ? p + 1 : NULL)
        if (strncmp(p, line, n) == 0 && p[n] == '\n')
            return true;
    return false;
}

static unsigned times(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

TEST(a_counter_is_the_sum_of_what_all_threads_counted)
{
    struct metrics *m = metrics_create(2);
    metric_id id = metrics_register(m, METRIC_COUNTER, "a_total", "As.", NULL);
    metrics_inc(metrics_shard(m, 0), id);
    metrics_add(metrics_shard(m, 1), id, 40);
    metrics_inc(metrics_shard(m, -1), id);
    CHECK(has_line(m, "a_total 42"));
    metrics_destroy(m);
}

TEST(a_gauge_may_rise_on_one_thread_and_fall_on_another)
{
    struct metrics *m = metrics_create(2);
    metric_id id = metrics_register(m, METRIC_GAUGE, "g", "G.", NULL);
    metrics_add(metrics_shard(m, 0), id, 5);
    metrics_add(metrics_shard(m, 1), id, -7);
    CHECK(has_line(m, "g -2"));
    metrics_destroy(m);
}

TEST(lag_is_that_of_the_latest_thread)
{
    struct metrics *m = metrics_create(2);
    metric_id id = metrics_register(m, METRIC_SECONDS_MAX, "lag_seconds", "Lag.", NULL);
    metrics_set(metrics_shard(m, 0), id, 1500000);
    metrics_set(metrics_shard(m, 1), id, 250000);
    CHECK(has_line(m, "lag_seconds 0.0015"));
    metrics_destroy(m);
}

TEST(up_holds_until_one_thread_says_down)
{
    struct metrics *m = metrics_create(2);
    metric_id id = metrics_register(m, METRIC_UP, "up", "Up.", NULL);
    CHECK(has_line(m, "up 1"));
    metrics_set_up(metrics_shard(m, 1), id, false);
    CHECK(has_line(m, "up 0"));
    metrics_set_up(metrics_shard(m, 1), id, true);
    CHECK(has_line(m, "up 1"));
    metrics_destroy(m);
}

TEST(histogram_buckets_are_cumulative_and_end_with_the_count)
{
    struct metrics *m = metrics_create(1);
    metric_id id = metrics_register(m, METRIC_HISTOGRAM, "h_seconds", "H.", "p=\"x\"");
    metrics_observe(metrics_shard(m, 0), id, 10000, 1);           /* exactly the first bound */
    metrics_observe(metrics_shard(m, 0), id, 10001, 2);
    metrics_observe(metrics_shard(m, -1), id, 60000000000, 1);    /* past the last */
    CHECK(has_line(m, "h_seconds_bucket{p=\"x\",le=\"1e-05\"} 1"));
    CHECK(has_line(m, "h_seconds_bucket{p=\"x\",le=\"0.0001\"} 3"));
    CHECK(has_line(m, "h_seconds_bucket{p=\"x\",le=\"10\"} 3"));
    CHECK(has_line(m, "h_seconds_bucket{p=\"x\",le=\"+Inf\"} 4"));
    CHECK(has_line(m, "h_seconds_sum{p=\"x\"} 60.000030002"));
    CHECK(has_line(m, "h_seconds_count{p=\"x\"} 4"));
    metrics_destroy(m);
}

TEST(the_series_of_a_family_stand_together_under_one_head)
{
    struct metrics *m = metrics_create(1);
    metrics_register(m, METRIC_COUNTER, "a_total", "As.", "x=\"1\"");
    metrics_register(m, METRIC_COUNTER, "b_total", "Bs.", NULL);
    metrics_register(m, METRIC_COUNTER, "a_total", "As.", "x=\"2\"");
    const char *text = rendered(m);
    CHECK_INT(times(text, "# TYPE a_total counter\n"), 1);
    CHECK(strstr(text, "a_total{x=\"1\"} 0\na_total{x=\"2\"} 0\n") != NULL);
    metrics_destroy(m);
}

TEST(registering_again_gives_the_same_series)
{
    struct metrics *m = metrics_create(1);
    metric_id id = metrics_register(m, METRIC_COUNTER, "a_total", "As.", "x=\"1\"");
    CHECK(id != METRIC_NONE);
    CHECK_INT(metrics_register(m, METRIC_COUNTER, "a_total", "As.", "x=\"1\""), id);
    CHECK(metrics_register(m, METRIC_COUNTER, "a_total", "As.", "x=\"2\"") != id);
    metrics_destroy(m);
}

TEST(what_prometheus_would_not_read_is_refused)
{
    struct metrics *m = metrics_create(1);
    static const struct {
        enum metric_kind kind;
        const char *name, *help, *labels;
    } wrong[] = {
        {METRIC_COUNTER, "a", "No _total.", NULL},
        {METRIC_GAUGE, "a_total", "A gauge.", NULL},
        {METRIC_COUNTER, "1_total", "A digit first.", NULL},
        {METRIC_COUNTER, "a-b_total", "A dash.", NULL},
        {METRIC_COUNTER, "", "No name.", NULL},
        {METRIC_COUNTER, NULL, "No name.", NULL},
        {METRIC_COUNTER, "a_total", "", NULL},
        {METRIC_COUNTER, "a_total", NULL, NULL},
        {METRIC_COUNTER, "a_total", "Bare value.", "x=1"},
        {METRIC_COUNTER, "a_total", "Open quote.", "x=\"1"},
        {METRIC_COUNTER, "a_total", "Ends in an escape.", "x=\"1\\"},
        {METRIC_COUNTER, "a_total", "Unknown escape.", "x=\"\\t\""},
        {METRIC_COUNTER, "a_total", "Line break.", "x=\"\n\""},
        {METRIC_COUNTER, "a_total", "No comma.", "x=\"1\"y=\"2\""},
        {METRIC_COUNTER, "a_total", "No label name.", "=\"1\""},
        {METRIC_HISTOGRAM, "h_seconds", "Its own le.", "le=\"1\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_INT(metrics_register(m, wrong[i].kind, wrong[i].name, wrong[i].help,
            wrong[i].labels), METRIC_NONE);
    CHECK(!strstr(rendered(m), "a_total"));
    metrics_destroy(m);
}

TEST(a_family_keeps_its_kind_and_its_label_names)
{
    struct metrics *m = metrics_create(1);
    metrics_register(m, METRIC_GAUGE, "g", "G.", "x=\"1\"");
    CHECK_INT(metrics_register(m, METRIC_UP, "g", "G.", "x=\"1\""), METRIC_NONE);
    CHECK_INT(metrics_register(m, METRIC_GAUGE, "g", "G.", "y=\"1\""), METRIC_NONE);
    CHECK_INT(metrics_register(m, METRIC_GAUGE, "g", "G.", NULL), METRIC_NONE);
    CHECK_INT(metrics_register(m, METRIC_GAUGE, "g", "G.", "x=\"1\",y=\"2\""), METRIC_NONE);
    metrics_destroy(m);
}

TEST(label_values_and_help_are_escaped)
{
    struct metrics *m = metrics_create(1);
    struct buf labels = BUF_INIT;
    metrics_label(&labels, "x", HB_STR("a\"b\\c\nd"));
    metrics_label(&labels, "y", HB_STR(""));
    buf_char(&labels, '\0');
    metric_id id = metrics_register(m, METRIC_GAUGE, "g", "back\\slash\nline", labels.p);
    buf_finish(&labels);
    CHECK(id != METRIC_NONE);
    CHECK(has_line(m, "g{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 0"));
    CHECK(has_line(m, "# HELP g back\\\\slash\\nline"));
    metrics_destroy(m);
}

TEST(past_the_bound_nothing_is_registered_and_counting_it_is_harmless)
{
    struct metrics *m = metrics_create(1);
    metric_id id = METRIC_NONE + 1;
    unsigned n = 0;
    for (; id != METRIC_NONE; n++) {
        char labels[32];
        snprintf(labels, sizeof labels, "x=\"%u\"", n);
        id = metrics_register(m, METRIC_HISTOGRAM, "h_seconds", "H.", labels);
    }
    CHECK_INT(n - 1, (METRICS_SLOTS - 1) / METRICS_HISTOGRAM_SLOTS);
    metrics_observe(metrics_shard(m, 0), id, 1, 1);
    metrics_inc(metrics_shard(m, 0), id);
    CHECK_INT(times(rendered(m), " 1\n"), 0);
    metrics_destroy(m);
}

TEST(core_series_are_there_from_the_start_at_zero)
{
    struct metrics *m = metrics_create(1);
    metrics_core_register(m, "1.2.3");
    CHECK(has_line(m, "hubbub_build_info{version=\"1.2.3\"} 1"));
    CHECK(has_line(m, "hubbub_sessions 0"));
    CHECK(has_line(m, "hubbub_backend_up 1"));
    CHECK(has_line(m, "hubbub_errors_total{code=\"internal\"} 0"));
    CHECK(!strstr(rendered(m), "code=\"ok\""));
    CHECK(has_line(m, "hubbub_delivery_seconds_count 0"));
    CHECK(has_line(m, "hubbub_loop_lag_seconds 0"));
    metrics_destroy(m);
}

TEST(core_ids_name_the_series_that_they_say)
{
    struct metrics *m = metrics_create(1);
    struct metrics_shard *s = metrics_shard(m, 0);
    struct metrics_transport t;
    metrics_core_register(m, "1");
    metrics_core_transport(m, "pigeon", &t);
    metrics_error(s, HB_OK);
    metrics_error(s, HB_RATE_LIMITED);
    metrics_inc(s, METRIC_RECOVERIES + RECOVERY_LOST);
    metrics_inc(s, t.closed + HB_END_SLOW);
    metrics_inc(s, METRIC_REJECTED + REJECTED_OTHER);
    CHECK_INT(times(rendered(m), " 1\n"), 4 + 2); /* and the build's, and backend_up */
    CHECK(has_line(m, "hubbub_errors_total{code=\"rate_limited\"} 1"));
    CHECK(has_line(m, "hubbub_recoveries_total{result=\"lost\"} 1"));
    CHECK(has_line(m, "hubbub_connections_closed_total{transport=\"pigeon\","
        "reason=\"slow_consumer\"} 1"));
    CHECK(has_line(m, "hubbub_connections_rejected_total{reason=\"other\"} 1"));
    metrics_destroy(m);
}

TEST(every_code_and_end_has_a_name)
{
    for (int i = 0; i < HB_CODE_COUNT; i++)
        CHECK(hb_code_names[i] != NULL);
    CHECK_STR(str_of(hb_code_names[HB_RATE_LIMITED]), "rate_limited");
    CHECK_STR(str_of(hb_code_names[HB_INTERNAL]), "internal");
    for (int i = 0; i < HB_END_COUNT; i++)
        CHECK(metrics_end_name((hb_end)i) != NULL);
}

static double value_of(const char *name)
{
    const char *p = page, *found = NULL;
    char start[128];
    snprintf(start, sizeof start, "\n%s ", name);
    while ((p = strstr(p, start)))
        found = p++ + strlen(start);
    return found ? strtod(found, NULL) : -1;
}

TEST(the_process_tells_its_own_numbers)
{
    struct metrics *m = metrics_create(1);
    rendered(m);
    CHECK(value_of("process_resident_memory_bytes") > 100 * 1024);
    CHECK(value_of("process_virtual_memory_bytes") > value_of("process_resident_memory_bytes"));
    CHECK(value_of("process_cpu_seconds_total") >= 0);
    CHECK(value_of("process_open_fds") >= 3);
    CHECK(value_of("process_max_fds") >= value_of("process_open_fds"));
    CHECK(value_of("process_start_time_seconds") > 1500000000);
    double before = value_of("process_open_fds");
    FILE *f = fopen("/dev/null", "r");
    rendered(m);
    CHECK_INT(value_of("process_open_fds"), before + 1);
    fclose(f);
    metrics_destroy(m);
}

enum { ROUNDS = 100000 };

static void *count_up(void *shard)
{
    for (int i = 0; i < ROUNDS; i++) {
        metrics_inc(shard, METRIC_SENT_BYTES);
        metrics_observe(shard, METRIC_DELIVERY, 20000, 1);
    }
    return NULL;
}

TEST(reading_and_registering_go_on_while_threads_count)
{
    struct metrics *m = metrics_create(2);
    metrics_core_register(m, "1");
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, count_up, metrics_shard(m, i)) == 0);
    for (int i = 0; i < 50; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "x=\"%d\"", i);
        CHECK(metrics_register(m, METRIC_GAUGE, "g", "G.", labels) != METRIC_NONE);
        rendered(m);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(has_line(m, "hubbub_sent_bytes_total 200000"));
    CHECK(has_line(m, "hubbub_delivery_seconds_count 200000"));
    CHECK(has_line(m, "hubbub_delivery_seconds_sum 4"));
    metrics_destroy(m);
}
