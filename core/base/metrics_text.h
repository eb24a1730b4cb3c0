/* Metrics as Prometheus reads them: its text format, version 0.0.4. Any thread. */
#ifndef BASE_METRICS_TEXT_H
#define BASE_METRICS_TEXT_H

#include "base/metrics.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Append everything that is registered, then the numbers of the process. */
void metrics_render(const struct metrics *m, struct buf *out);

#endif
