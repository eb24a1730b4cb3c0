/*
 * The core's own metrics. Their ids are constants, so that counting is `metrics_inc(shard->metrics,
 * METRIC_SLOW_CONSUMERS)` wherever one has a shard; a group with a label counts at GROUP + enum
 * value. All of them exist from the start, at 0.
 */
#ifndef BASE_METRICS_CORE_H
#define BASE_METRICS_CORE_H

#include "base/metrics.h"
#include <hubbub/plugin.h>

enum metrics_rejected {   /* hubbub_connections_rejected_total{reason} */
    REJECTED_CAPACITY,    /* limits.connections */
    REJECTED_PER_IP,      /* limits.connections_per_ip */
    REJECTED_RATE,        /* a hook: too many connects */
    REJECTED_ORIGIN,
    REJECTED_CREDENTIALS,
    REJECTED_DRAINING,
    REJECTED_OTHER,
    REJECTED_COUNT
};

enum metrics_dropped {    /* hubbub_messages_dropped_total{reason} */
    DROPPED_SLOW,         /* what waited for a slow consumer that was closed */
    DROPPED_GONE,         /* what waited for a session that ended by itself */
    DROPPED_BACKEND,      /* a publish that the backend did not take */
    DROPPED_MEMORY,
    DROPPED_COUNT
};

enum metrics_auth_failure { /* hubbub_auth_failures_total{reason} */
    AUTH_MISSING,         /* no credential */
    AUTH_INVALID,
    AUTH_EXPIRED,
    AUTH_FORBIDDEN,
    AUTH_TIMEOUT,         /* no `auth` within limits.auth_time, or no answer of a hook in time */
    AUTH_UNAVAILABLE,
    AUTH_FAILURE_COUNT
};

enum metrics_limited {    /* hubbub_rate_limited_total{scope}: what was refused */
    LIMITED_CONNECT,
    LIMITED_JOIN,
    LIMITED_PUBLISH,
    LIMITED_CALL,
    LIMITED_COUNT
};

enum metrics_recovery {   /* hubbub_recoveries_total{result} */
    RECOVERY_COMPLETE,    /* `recovered` was true */
    RECOVERY_LOST,
    RECOVERY_COUNT
};

#define METRICS_GROUP(id, count) id, id##_LAST = id + (count) - 1

enum metrics_core_id {
    METRIC_SESSIONS = METRIC_NONE + 1,
    METRIC_ROOMS,
    METRIC_ROOM_MEMBERSHIPS,
    METRIC_RECEIVED_BYTES,
    METRIC_SENT_BYTES,
    METRIC_SLOW_CONSUMERS,
    METRIC_OUTBOX_BYTES,
    METRIC_LOOP_LAG,      /* metrics_set: how many ns late this worker's loop came round */
    METRIC_BACKEND_UP,    /* metrics_set_up */
    METRIC_DRAINING,
    METRICS_GROUP(METRIC_REJECTED, REJECTED_COUNT),
    METRICS_GROUP(METRIC_DROPPED, DROPPED_COUNT),
    METRICS_GROUP(METRIC_ERRORS, HB_CODE_COUNT - 1), /* metrics_error */
    METRICS_GROUP(METRIC_AUTH_FAILURES, AUTH_FAILURE_COUNT),
    METRICS_GROUP(METRIC_RATE_LIMITED, LIMITED_COUNT),
    METRICS_GROUP(METRIC_RECOVERIES, RECOVERY_COUNT),
    METRICS_GROUP(METRIC_DELIVERY, METRICS_HISTOGRAM_SLOTS), /* metrics_observe */
    METRICS_GROUP(METRIC_BACKEND, METRICS_HISTOGRAM_SLOTS),  /* metrics_observe */
    METRICS_CORE_END
};

/* An error was told to a client; HB_OK counts nothing. */
static inline void metrics_error(struct metrics_shard *s, hb_code code)
{
    if (code != HB_OK)
        metrics_inc(s, METRIC_ERRORS + (metric_id)code - 1);
}

/* Control thread, first of all registrations: the ids above, and hubbub_build_info. */
void metrics_core_register(struct metrics *m, const char *version);

/* The series of one transport, by its name; before modules register theirs. `closed` + hb_end. */
struct metrics_transport {
    metric_id connections, opened, closed, received, delivered;
};
void metrics_core_transport(struct metrics *m, const char *transport,
    struct metrics_transport *out);
/* hubbub_hook_seconds of one plugin and hook. */
metric_id metrics_core_hook(struct metrics *m, const char *plugin, const char *hook);

/* Why a session ended, as the label is written ("slow_consumer"). */
const char *metrics_end_name(hb_end why);

#endif
