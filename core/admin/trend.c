#include "admin/trend.h"
#include "base/reading.h"
#include "base/clock.h"
#include "server/server.h"
#include <math.h>
#include <string.h>

enum { STEP_MS = 1000, LATENCY_STEPS = 10 };

/* What is read, and how it is drawn: as it is, or as growth per second. */
static const struct line {
    const char *name, *metric;
    bool growth;
} lines[] = {
    {"connections", "hubbub_connections", false},
    {"rooms", "hubbub_rooms", false},
    {"outbox_bytes", "hubbub_outbox_bytes", false},
    {"loop_lag", "hubbub_loop_lag_seconds", false},
    {"opened", "hubbub_connections_opened_total", true},
    {"received", "hubbub_messages_received_total", true},
    {"delivered", "hubbub_messages_delivered_total", true},
    {"dropped", "hubbub_messages_dropped_total", true},
    {"received_bytes", "hubbub_received_bytes_total", true},
    {"sent_bytes", "hubbub_sent_bytes_total", true},
    {"errors", "hubbub_errors_total", true},
    {"rejected", "hubbub_connections_rejected_total", true},
};

/* Of deliveries in the last seconds. */
static const struct quantile {
    const char *name;
    double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};

enum {
    N_LINES = sizeof(lines) / sizeof(lines[0]),
    N_QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]),
};

static struct {
    struct shard *control;
    struct timer timer;
    struct reading readings[N_LINES + 1]; /* the last: deliveries' times */
    double before[N_LINES];
    uint64_t buckets[LATENCY_STEPS][READING_BUCKETS];
    uint64_t ticks, last_ms;
    float points[TREND_POINTS][N_LINES + N_QUANTILES];
} trend;

static void read_all(void)
{
    struct reading *items[N_LINES + 1];
    struct server_status st;
    for (int i = 0; i <= N_LINES; i++)
        items[i] = &trend.readings[i];
    server_status(&st);
    reading_take(items, N_LINES + 1, st.metrics, false);
}

static void put_lines(float *point, double seconds)
{
    for (int i = 0; i < N_LINES; i++) {
        double value = trend.readings[i].value;
        bool first = trend.ticks == 0;
        point[i] = (float)(!lines[i].growth ? value : first ? 0 : (value - trend.before[i]) / seconds);
        trend.before[i] = value;
    }
}

static void put_quantiles(float *point)
{
    uint64_t *then = trend.buckets[trend.ticks % LATENCY_STEPS];
    const uint64_t *now = trend.readings[N_LINES].buckets;
    double grown[READING_BUCKETS];
    for (int b = 0; b < READING_BUCKETS; b++)
        grown[b] = (double)(now[b] - then[b]);
    for (int i = 0; i < N_QUANTILES; i++)
        point[i] = (float)reading_quantile(grown, quantiles[i].q);
    memcpy(then, now, sizeof(trend.buckets[0]));
}

static void on_tick(struct timer *t)
{
    uint64_t now = clock_mono_ms();
    float *point = trend.points[trend.ticks % TREND_POINTS];
    double seconds = now > trend.last_ms ? (double)(now - trend.last_ms) / 1000 : 1;
    read_all();
    put_lines(point, seconds);
    put_quantiles(point + N_LINES);
    trend.last_ms = now;
    trend.ticks++;
    timer_set(&trend.control->wheel, t, now + STEP_MS);
}

void trend_begin(struct shard *control)
{
    trend.control = control;
    for (int i = 0; i < N_LINES; i++)
        reading_init(&trend.readings[i], lines[i].metric);
    reading_init(&trend.readings[N_LINES], "hubbub_delivery_seconds");
    timer_init(&trend.timer, on_tick);
    on_tick(&trend.timer);
}

void trend_finish(void)
{
    if (trend.control)
        timer_cancel(&trend.control->wheel, &trend.timer);
    memset(&trend, 0, sizeof(trend));
}

static void put_series(struct buf *out, const char *name, int at, uint64_t from)
{
    buf_printf(out, ",\"%s\":[", name);
    for (uint64_t i = from; i < trend.ticks; i++) {
        float v = trend.points[i % TREND_POINTS][at];
        buf_lit(out, i > from ? "," : "");
        if (isnan(v))
            buf_lit(out, "null");
        else
            buf_printf(out, "%.6g", (double)v);
    }
    buf_char(out, ']');
}

void trend_json(struct buf *out, size_t points)
{
    uint64_t have = trend.ticks < TREND_POINTS ? trend.ticks : TREND_POINTS;
    uint64_t from = trend.ticks - (points < have ? points : have);
    buf_printf(out, "{\"step_ms\":%d,\"seq\":%llu", STEP_MS, (unsigned long long)trend.ticks);
    for (int i = 0; i < N_LINES; i++)
        put_series(out, lines[i].name, i, from);
    for (int i = 0; i < N_QUANTILES; i++)
        put_series(out, quantiles[i].name, N_LINES + i, from);
    buf_char(out, '}');
}
