/* What lives on the control thread as long as the server runs: alerts, and what graphs show. */
#include "admin/admin.h"
#include "admin/alerts.h"
#include "admin/trend.h"

void admin_lifecycle(struct shard *control, const struct config *config, bool first)
{
    if (!config) {
        alerts_finish();
        trend_finish();
        return;
    }
    if (first)
        trend_begin(control);
    alerts_use(control, config);
}
