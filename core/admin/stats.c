/* GET /api/v1/stats and /nodes: this node in numbers. */
#include "admin/alerts.h"
#include "admin/page.h"
#include "base/reading.h"
#include "admin/trend.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/str.h"
#include "session/cluster.h"
#include <math.h>

static const char *state_word(enum server_state state)
{
    static const char *const words[] = {[SERVER_STARTING] = "starting", [SERVER_RUNNING] = "running",
        [SERVER_LEAVING] = "leaving", [SERVER_DRAINING] = "draining", [SERVER_STOPPING] = "stopping"};
    return words[state];
}

/* --- all metrics, by name and label values ---------------------------------------------------------- */

struct families {
    struct buf *out;
    const char *name;  /* of the one that is open */
    bool is_map;
};

/* `a="x",b="y"` becomes "x,y". */
static void put_label_values(struct buf *out, const char *labels)
{
    struct buf key = BUF_INIT;
    hb_str rest = str_of(labels), part, value;
    while (str_split(&rest, '"', &part) && str_split(&rest, '"', &value)) {
        buf_lit(&key, key.n > 0 ? "," : "");
        buf_str(&key, value);
    }
    buf_json_str(out, buf_view(&key));
    buf_char(out, ':');
    buf_finish(&key);
}

static void put_number(struct buf *out, double v)
{
    if (isfinite(v))
        buf_printf(out, "%.15g", v);
    else
        buf_lit(out, "null");
}

static void put_value(struct buf *out, const struct metrics_sample *s)
{
    static const double marks[] = {0.5, 0.9, 0.99};
    double counts[READING_BUCKETS];
    if (s->kind != METRIC_HISTOGRAM) {
        put_number(out, s->value);
        return;
    }
    for (int b = 0; b < READING_BUCKETS; b++)
        counts[b] = (double)s->buckets[b];
    buf_printf(out, "{\"count\":%llu,\"sum\":%.9g", (unsigned long long)s->count, s->value);
    for (int i = 0; i < 3; i++) {
        buf_printf(out, ",\"p%.0f\":", marks[i] * 100);
        put_number(out, reading_quantile(counts, marks[i]));
    }
    buf_char(out, '}');
}

static void close_family(struct families *f)
{
    buf_lit(f->out, f->name && f->is_map ? "}" : "");
}

static void put_sample(const struct metrics_sample *s, void *arg)
{
    struct families *f = arg;
    if (f->name != s->name) {
        close_family(f);
        buf_lit(f->out, f->name ? ",\"" : "\"");
        buf_lit(f->out, s->name);
        f->is_map = *s->labels;
        buf_lit(f->out, f->is_map ? "\":{" : "\":");
        f->name = s->name;
    } else {
        buf_char(f->out, ',');
    }
    if (f->is_map)
        put_label_values(f->out, s->labels);
    put_value(f->out, s);
}

static void put_metrics(struct buf *out, const struct metrics *m)
{
    struct families f = {out, NULL, false};
    buf_lit(out, ",\"metrics\":{");
    metrics_each(m, put_sample, &f);
    process_each(put_sample, &f);
    close_family(&f);
    buf_char(out, '}');
}

/* --- the routes ------------------------------------------------------------------------------------- */

static void put_node(struct buf *out, const struct server_status *st)
{
    struct reading connections, sessions, rooms;
    struct reading *all[] = {&connections, &sessions, &rooms};
    reading_init(&connections, "hubbub_connections");
    reading_init(&sessions, "hubbub_sessions");
    reading_init(&rooms, "hubbub_rooms");
    reading_take(all, 3, st->metrics, false);
    buf_lit(out, "{\"node\":");
    buf_json_str(out, str_of(st->config->node));
    buf_printf(out, ",\"version\":\"%s\",\"state\":\"%s\",\"uptime_ms\":%llu,\"workers\":%d,"
        "\"connections\":%.0f,\"sessions\":%.0f,\"rooms\":%.0f", HB_VERSION, state_word(st->state),
        (unsigned long long)(clock_mono_ms() - st->started_ms), st->n_workers, connections.value,
        sessions.value, rooms.value);
}

void admin_stats(struct admin_call *call)
{
    struct server_status st;
    struct buf out = BUF_INIT;
    uint64_t points = 0;
    hb_str history = page_query(call, "history");
    if (history.p && !str_u64(history, &points)) {
        admin_error(call, HB_BAD_REQUEST, "history is a number of seconds");
        return;
    }
    server_status(&st);
    put_node(&out, &st);
    buf_printf(&out, ",\"time\":%lld,\"limits\":{\"connections\":%lld,\"connections_per_ip\":%lld,"
        "\"rooms\":%lld},\"alerts\":{\"firing\":%zu,\"pending\":%zu}", (long long)clock_wall_ms(),
        (long long)st.config->limits.connections, (long long)st.config->limits.connections_per_ip,
        (long long)st.config->limits.rooms, alerts_count(RULE_FIRING), alerts_count(RULE_PENDING));
    put_metrics(&out, st.metrics);
    if (points > 0) {
        buf_lit(&out, ",\"history\":");
        trend_json(&out, points < TREND_POINTS ? (size_t)points : TREND_POINTS);
    }
    buf_lit(&out, "}\n");
    admin_json(call, 200, buf_view(&out));
    buf_finish(&out);
}

static void put_other(hb_str json, void *arg)
{
    struct buf *out = arg;
    buf_char(out, ',');
    buf_str(out, json);
}

/* Once a second, to the other nodes. */
void admin_beacon(struct shard *control)
{
    struct server_status st;
    struct buf json = BUF_INIT;
    server_status(&st);
    put_node(&json, &st);
    buf_lit(&json, ",\"self\":false}");
    cluster_cast(control->hub, 0, CLUSTER_BEACON, (hb_str[]){str_of(st.config->node), buf_view(&json)}, 2);
    buf_finish(&json);
}

void admin_nodes(struct admin_call *call)
{
    struct server_status st;
    struct buf out = BUF_INIT;
    server_status(&st);
    put_node(&out, &st);
    buf_lit(&out, ",\"self\":true}");
    cluster_each(put_other, &out);
    page_answer_whole(call, buf_view(&out));
    buf_finish(&out);
}
