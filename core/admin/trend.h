/*
 * The last minutes of what a dashboard draws, one point a second, so that one that is opened has
 * something to show. Control thread.
 */
#ifndef ADMIN_TREND_H
#define ADMIN_TREND_H

#include "base/buf.h"
#include "out/shard.h"

enum { TREND_POINTS = 600 };

void trend_begin(struct shard *control);
void trend_finish(void);
/* {"step_ms":1000,"connections":[…],"received":[…],…}: the newest `points` at most, oldest first;
 * null where there is no value. */
void trend_json(struct buf *out, size_t points);

#endif
