/*
 * Reading metrics by name: what rules and graphs look at. A selector is a metric's name, maybe with
 * labels; what it selects is added up. One thread.
 */
#ifndef BASE_READING_H
#define BASE_READING_H

#include "base/metrics.h"

enum { READING_LABELS_MAX = 4, READING_BUCKETS = METRICS_BUCKETS + 1 };

struct reading {
    /* What is selected; the text it was made from must live as long. */
    hb_str name;
    hb_str labels[READING_LABELS_MAX]; /* `name="value"` */
    int n_labels;
    /* What was read last. */
    bool found;
    enum metric_kind kind;
    double value; /* of a histogram: how many were observed */
    uint64_t buckets[READING_BUCKETS];
};

/* From "name" or `name{label="value",…}`, checked by conf/. */
void reading_init(struct reading *r, const char *metric);
/* Does it select this series? */
bool reading_selects(const struct reading *r, const struct metrics_sample *s);
/* Is this `name="value"` one of the series' labels? */
bool reading_has_label(const struct metrics_sample *s, hb_str label);
/* Read n of them together. The process's own numbers cost system calls: they are read only if some
 * reading is of a process_ metric and `process` is set, and stay as they were otherwise. */
void reading_take(struct reading *const *items, size_t n, const struct metrics *m, bool process);

/* The value below which `q` of these observations are, in seconds, as Prometheus reckons it; NAN
 * when there are none. */
double reading_quantile(const double counts[READING_BUCKETS], double q);

#endif
