#include "base/reading.h"
#include "base/process.h"
#include "base/str.h"
#include <math.h>
#include <string.h>

void reading_init(struct reading *r, const char *metric)
{
    hb_str rest = str_of(metric), label;
    memset(r, 0, sizeof(*r));
    str_split(&rest, '{', &r->name);
    if (!rest.p)
        return;
    rest = str_sub(rest, 0, rest.n - 1); /* the closing brace */
    while (r->n_labels < READING_LABELS_MAX && str_split(&rest, ',', &label))
        r->labels[r->n_labels++] = label;
}

/* Values hold no quotes but escaped ones. */
bool reading_has_label(const struct metrics_sample *s, hb_str wanted)
{
    hb_str labels = str_of(s->labels);
    size_t at;
    while ((at = str_find(labels, wanted)) != SIZE_MAX) {
        bool begins = at == 0 || labels.p[at - 1] == ',';
        if (begins && (at + wanted.n == labels.n || labels.p[at + wanted.n] == ','))
            return true;
        labels = str_sub(labels, at + 1, SIZE_MAX);
    }
    return false;
}

bool reading_selects(const struct reading *r, const struct metrics_sample *s)
{
    if (!str_eq(r->name, str_of(s->name)))
        return false;
    for (int i = 0; i < r->n_labels; i++)
        if (!reading_has_label(s, r->labels[i]))
            return false;
    return true;
}

struct taking {
    struct reading *const *items;
    size_t n;
};

static void take(const struct metrics_sample *s, void *arg)
{
    const struct taking *t = arg;
    for (size_t i = 0; i < t->n; i++) {
        struct reading *r = t->items[i];
        if (!reading_selects(r, s))
            continue;
        r->found = true;
        r->kind = s->kind;
        r->value += s->kind == METRIC_HISTOGRAM ? (double)s->count : s->value;
        for (int b = 0; s->kind == METRIC_HISTOGRAM && b < READING_BUCKETS; b++)
            r->buckets[b] += s->buckets[b];
    }
}

static bool is_process(const struct reading *r)
{
    return str_starts(r->name, HB_STR("process_"));
}

void reading_take(struct reading *const *items, size_t n, const struct metrics *m, bool process)
{
    struct taking t = {items, n};
    bool wanted = false;
    for (size_t i = 0; i < n; i++) {
        struct reading *r = items[i];
        wanted |= is_process(r);
        if (is_process(r) && !process)
            continue;
        r->value = 0;
        memset(r->buckets, 0, sizeof(r->buckets));
    }
    metrics_each(m, take, &t);
    if (wanted && process)
        process_each(take, &t);
}

double reading_quantile(const double counts[READING_BUCKETS], double q)
{
    double all = 0, below = 0;
    for (int b = 0; b < READING_BUCKETS; b++)
        all += counts[b];
    if (all <= 0)
        return NAN;
    for (int b = 0; b < METRICS_BUCKETS; b++) {
        double from = b > 0 ? (double)metrics_bounds_ns[b - 1] / 1e9 : 0;
        double to = (double)metrics_bounds_ns[b] / 1e9;
        if (counts[b] > 0 && below + counts[b] >= q * all)
            return from + (to - from) * (q * all > below ? (q * all - below) / counts[b] : 0);
        below += counts[b];
    }
    return (double)metrics_bounds_ns[METRICS_BUCKETS - 1] / 1e9; /* somewhere beyond */
}
