#include "base/metrics_core.h"
#include "base/check.h"
#include "base/str.h"

static const char *const rejected[REJECTED_COUNT] = {
    [REJECTED_CAPACITY] = "capacity",
    [REJECTED_PER_IP] = "per_ip",
    [REJECTED_RATE] = "rate",
    [REJECTED_ORIGIN] = "origin",
    [REJECTED_CREDENTIALS] = "credentials",
    [REJECTED_DRAINING] = "draining",
    [REJECTED_OTHER] = "other",
};

static const char *const dropped[DROPPED_COUNT] = {
    [DROPPED_SLOW] = "slow_consumer",
    [DROPPED_GONE] = "session_gone",
    [DROPPED_BACKEND] = "backend",
    [DROPPED_MEMORY] = "memory",
};

static const char *const auth_failures[AUTH_FAILURE_COUNT] = {
    [AUTH_MISSING] = "missing",
    [AUTH_INVALID] = "invalid",
    [AUTH_EXPIRED] = "expired",
    [AUTH_FORBIDDEN] = "forbidden",
    [AUTH_TIMEOUT] = "timeout",
    [AUTH_UNAVAILABLE] = "unavailable",
};

static const char *const limited[LIMITED_COUNT] = {
    [LIMITED_CONNECT] = "connect",
    [LIMITED_JOIN] = "join",
    [LIMITED_PUBLISH] = "publish",
    [LIMITED_CALL] = "call",
};

static const char *const recoveries[RECOVERY_COUNT] = {
    [RECOVERY_COMPLETE] = "recovered",
    [RECOVERY_LOST] = "lost",
};

static const char *const ends[HB_END_COUNT] = {
    [HB_END_CLIENT] = "client",
    [HB_END_ERROR] = "protocol_error",
    [HB_END_HEARTBEAT] = "heartbeat",
    [HB_END_SLOW] = "slow_consumer",
    [HB_END_EXPIRED] = "expired",
    [HB_END_REFUSED] = "refused",
    [HB_END_KICKED] = "kicked",
    [HB_END_RATE] = "rate_limit",
    [HB_END_DRAIN] = "drain",
};

/* In the order of enum metrics_core_id. */
static const struct row {
    enum metrics_core_id id;
    enum metric_kind kind;
    const char *name, *help;
    const char *label;          /* NULL: none */
    const char *const *values;  /* of the label: one series for each */
    unsigned n;
} rows[] = {
    {METRIC_SESSIONS, METRIC_GAUGE, "hubbub_sessions", "Open sessions.", NULL, NULL, 0},
    {METRIC_ROOMS, METRIC_GAUGE, "hubbub_rooms", "Rooms that exist on this node.", NULL, NULL, 0},
    {METRIC_ROOM_MEMBERSHIPS, METRIC_GAUGE, "hubbub_room_memberships",
        "Rooms joined, added up over sessions.", NULL, NULL, 0},
    {METRIC_RECEIVED_BYTES, METRIC_COUNTER, "hubbub_received_bytes_total",
        "Bytes read from clients.", NULL, NULL, 0},
    {METRIC_SENT_BYTES, METRIC_COUNTER, "hubbub_sent_bytes_total",
        "Bytes written to clients.", NULL, NULL, 0},
    {METRIC_SLOW_CONSUMERS, METRIC_COUNTER, "hubbub_slow_consumers_total",
        "Sessions closed because their outbox was full.", NULL, NULL, 0},
    {METRIC_OUTBOX_BYTES, METRIC_GAUGE, "hubbub_outbox_bytes",
        "Bytes that wait to be written to clients.", NULL, NULL, 0},
    {METRIC_LOOP_LAG, METRIC_SECONDS_MAX, "hubbub_loop_lag_seconds",
        "How late the latest worker's event loop came round last.", NULL, NULL, 0},
    {METRIC_BACKEND_UP, METRIC_UP, "hubbub_backend_up",
        "Whether the backend answers (1) or not (0).", NULL, NULL, 0},
    {METRIC_DRAINING, METRIC_GAUGE, "hubbub_draining",
        "Whether the server is draining (1) or not (0).", NULL, NULL, 0},
    {METRIC_REJECTED, METRIC_COUNTER, "hubbub_connections_rejected_total",
        "Connections and sessions refused.", "reason", rejected, REJECTED_COUNT},
    {METRIC_DROPPED, METRIC_COUNTER, "hubbub_messages_dropped_total",
        "Messages that were not delivered.", "reason", dropped, DROPPED_COUNT},
    {METRIC_ERRORS, METRIC_COUNTER, "hubbub_errors_total",
        "Errors told to clients.", "code", hb_code_names + 1, HB_CODE_COUNT - 1},
    {METRIC_AUTH_FAILURES, METRIC_COUNTER, "hubbub_auth_failures_total",
        "Credentials refused.", "reason", auth_failures, AUTH_FAILURE_COUNT},
    {METRIC_RATE_LIMITED, METRIC_COUNTER, "hubbub_rate_limited_total",
        "What was refused for its rate.", "scope", limited, LIMITED_COUNT},
    {METRIC_RECOVERIES, METRIC_COUNTER, "hubbub_recoveries_total",
        "Joins with a cursor, by what came of them.", "result", recoveries, RECOVERY_COUNT},
    {METRIC_DELIVERY, METRIC_HISTOGRAM, "hubbub_delivery_seconds",
        "Time from a publish received to a delivery written to the socket.", NULL, NULL, 0},
    {METRIC_BACKEND, METRIC_HISTOGRAM, "hubbub_backend_seconds",
        "Time that the backend took to answer.", NULL, NULL, 0},
};

/* A series with two labels, one, or none: an absent one is NULL. */
static metric_id add(struct metrics *m, enum metric_kind kind, const char *name, const char *help,
    const char *const labels[4])
{
    struct buf text = BUF_INIT;
    for (unsigned i = 0; i < 4 && labels[i]; i += 2)
        metrics_label(&text, labels[i], str_of(labels[i + 1]));
    buf_char(&text, '\0');
    CHECK_INVARIANT(!text.failed);
    metric_id id = metrics_register(m, kind, name, help, text.p);
    buf_finish(&text);
    return id;
}

#define LABELS(...) ((const char *const[4]){__VA_ARGS__})

static void register_row(struct metrics *m, const struct row *row)
{
    for (unsigned i = 0; i < (row->label ? row->n : 1); i++) {
        metric_id id = add(m, row->kind, row->name, row->help,
            LABELS(row->label, row->label ? row->values[i] : NULL));
        CHECK_INVARIANT(id == row->id + i);
    }
}

void metrics_core_register(struct metrics *m, const char *version)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        register_row(m, &rows[i]);
    metric_id build = add(m, METRIC_GAUGE, "hubbub_build_info",
        "Always 1; the label says which version runs.", LABELS("version", version));
    CHECK_INVARIANT(build == METRICS_CORE_END);
    metrics_set(metrics_shard(m, -1), build, 1);
}

void metrics_core_transport(struct metrics *m, const char *transport,
    struct metrics_transport *out)
{
    out->connections = add(m, METRIC_GAUGE, "hubbub_connections",
        "Open connections; one that polls counts while its session lasts.",
        LABELS("transport", transport));
    out->opened = add(m, METRIC_COUNTER, "hubbub_connections_opened_total",
        "Connections opened.", LABELS("transport", transport));
    out->received = add(m, METRIC_COUNTER, "hubbub_messages_received_total",
        "Messages published by clients.", LABELS("transport", transport));
    out->delivered = add(m, METRIC_COUNTER, "hubbub_messages_delivered_total",
        "Messages written to clients.", LABELS("transport", transport));
    for (unsigned why = 0; why < HB_END_COUNT; why++) {
        metric_id id = add(m, METRIC_COUNTER, "hubbub_connections_closed_total",
            "Connections closed.", LABELS("transport", transport, "reason", ends[why]));
        out->closed = why == 0 ? id : out->closed;
        CHECK_INVARIANT(id == out->closed + why);
    }
}

metric_id metrics_core_hook(struct metrics *m, const char *plugin, const char *hook)
{
    return add(m, METRIC_HISTOGRAM, "hubbub_hook_seconds", "Time spent in a plugin's hook.",
        LABELS("plugin", plugin, "hook", hook));
}

const char *metrics_end_name(hb_end why)
{
    return ends[why];
}
