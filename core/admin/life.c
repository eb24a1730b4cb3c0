/* What lives on the control thread as long as the server runs: alerts, and what graphs show. */
#include "admin/admin.h"
#include "admin/alerts.h"
#include "admin/trend.h"
#include "base/clock.h"

enum { BEACON_MS = 1000 };

static struct shard *beacon_of;
static struct timer beacon;

static void on_beacon(struct timer *t)
{
    admin_beacon(beacon_of);
    timer_set(&beacon_of->wheel, t, clock_mono_ms() + BEACON_MS);
}

static void begin_beacon(struct shard *control)
{
    beacon_of = control;
    timer_init(&beacon, on_beacon);
    timer_set(&control->wheel, &beacon, clock_mono_ms());
}

void admin_lifecycle(struct shard *control, const struct config *config, bool first)
{
    if (!config) {
        alerts_finish();
        trend_finish();
        timer_cancel(&control->wheel, &beacon);
        return;
    }
    if (first) {
        trend_begin(control);
        begin_beacon(control);
    }
    alerts_use(control, config);
}
