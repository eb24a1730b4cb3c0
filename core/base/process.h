/*
 * What the system knows about this process, as the process_* metrics that Prometheus' own clients
 * have. Read afresh at each call; what can't be read is left out. Counting open files takes time in
 * proportion to them (a millisecond at ten thousand) where Linux is older than 6.2. Any thread.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/metrics.h"

void process_each(void (*fn)(const struct metrics_sample *s, void *arg), void *arg);

#endif
