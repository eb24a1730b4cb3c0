#include "base/metrics.h"
#include "base/check.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

const uint64_t metrics_bounds_ns[METRICS_BUCKETS] = {
    10000, 100000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000,
    250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

struct family {
    char *name, *help;     /* owned */
    enum metric_kind kind;
};

struct series {
    unsigned family;
    metric_id id;
    char *labels;          /* owned */
};

/* Rows are written before the count that covers them is released, and never again. */
struct metrics {
    struct metrics_shard **shards; /* owned: the control thread's, then the workers' */
    int n_shards;
    metric_id next_slot;
    _Atomic unsigned n_families, n_series;
    struct family families[METRICS_FAMILIES_MAX];
    struct series series[METRICS_SERIES_MAX];
};

static struct metrics_shard *create_shard(void)
{
    struct metrics_shard *s = aligned_alloc(64, sizeof *s);
    CHECK_INVARIANT(s != NULL);
    memset(s, 0, sizeof *s);
    return s;
}

struct metrics *metrics_create(int workers)
{
    struct metrics *m = mem_zalloc(sizeof *m);
    m->n_shards = workers + 1;
    m->next_slot = METRIC_NONE + 1;
    m->shards = mem_zalloc((size_t)m->n_shards * sizeof m->shards[0]);
    for (int i = 0; i < m->n_shards; i++)
        m->shards[i] = create_shard();
    return m;
}

void metrics_destroy(struct metrics *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->n_series; i++)
        free(m->series[i].labels);
    for (unsigned i = 0; i < m->n_families; i++) {
        free(m->families[i].name);
        free(m->families[i].help);
    }
    for (int i = 0; i < m->n_shards; i++)
        free(m->shards[i]);
    free(m->shards);
    free(m);
}

struct metrics_shard *metrics_shard(struct metrics *m, int worker)
{
    CHECK_INVARIANT(worker >= -1 && worker + 1 < m->n_shards);
    return m->shards[worker + 1];
}

static bool name_is_valid(const char *name, size_t n, bool colon)
{
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
            (colon && c == ':');
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return n > 0;
}

/* The end of a quoted label value that starts at p, or NULL. */
static const char *skip_value(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if (*p == '\0' || *p == '\n')
            return NULL;
        if (*p == '\\' && !strchr("\\\"n", *++p))
            return NULL;
        if (*p == '\0')
            return NULL;
    }
    return p + 1;
}

/* One label at *p, which moves behind it; its name, or absent when it is not well-formed. */
static hb_str next_label(const char **p)
{
    const char *name = *p, *equals = strchr(name, '=');
    if (!equals || !name_is_valid(name, (size_t)(equals - name), false))
        return (hb_str){NULL, 0};
    const char *end = skip_value(equals + 1);
    if (!end || (*end != '\0' && *end != ','))
        return (hb_str){NULL, 0};
    *p = *end == ',' ? end + 1 : end;
    return (hb_str){name, (size_t)(equals - name)};
}

static bool labels_are_valid(const char *labels, enum metric_kind kind)
{
    while (*labels) {
        hb_str name = next_label(&labels);
        if (!name.p || (kind == METRIC_HISTOGRAM && str_eq(name, HB_STR("le"))))
            return false;
    }
    return true;
}

/* The series of a family differ in the values of the same labels. */
static bool label_names_agree(const char *a, const char *b)
{
    while (*a && *b)
        if (!str_eq(next_label(&a), next_label(&b)))
            return false;
    return !*a && !*b;
}

static bool family_is_valid(enum metric_kind kind, const char *name, const char *help)
{
    bool total = str_ends(str_of(name), HB_STR("_total"));
    return name_is_valid(name, strlen(name), true) && total == (kind == METRIC_COUNTER) &&
        help && *help;
}

static unsigned find_family(const struct metrics *m, const char *name)
{
    unsigned i = 0;
    while (i < m->n_families && strcmp(m->families[i].name, name) != 0)
        i++;
    return i;
}

static const struct series *find_series(const struct metrics *m, unsigned family,
    const char *labels)
{
    for (unsigned i = 0; i < m->n_series; i++)
        if (m->series[i].family == family && strcmp(m->series[i].labels, labels) == 0)
            return &m->series[i];
    return NULL;
}

static const struct series *any_series(const struct metrics *m, unsigned family)
{
    unsigned i = 0;
    while (m->series[i].family != family)
        i++;
    return &m->series[i];
}

static unsigned slots_of(enum metric_kind kind)
{
    return kind == METRIC_HISTOGRAM ? METRICS_HISTOGRAM_SLOTS : 1;
}

static char *copy(const char *cstr)
{
    return mem_strndup(cstr, strlen(cstr));
}

static metric_id add_series(struct metrics *m, unsigned family, const char *labels)
{
    unsigned slots = slots_of(m->families[family].kind);
    if (m->n_series == METRICS_SERIES_MAX || m->next_slot + slots > METRICS_SLOTS)
        return METRIC_NONE;
    metric_id id = m->next_slot;
    m->series[m->n_series] = (struct series){family, id, copy(labels)};
    m->next_slot += slots;
    atomic_fetch_add_explicit(&m->n_series, 1, memory_order_release);
    return id;
}

metric_id metrics_register(struct metrics *m, enum metric_kind kind, const char *name,
    const char *help, const char *labels)
{
    labels = labels ? labels : "";
    if (!name || !family_is_valid(kind, name, help) || !labels_are_valid(labels, kind))
        return METRIC_NONE;
    unsigned family = find_family(m, name);
    if (family < m->n_families) {
        if (m->families[family].kind != kind)
            return METRIC_NONE;
        const struct series *known = find_series(m, family, labels);
        if (known)
            return known->id;
        if (!label_names_agree(any_series(m, family)->labels, labels))
            return METRIC_NONE;
        return add_series(m, family, labels);
    }
    if (family == METRICS_FAMILIES_MAX || m->n_series == METRICS_SERIES_MAX ||
        m->next_slot + slots_of(kind) > METRICS_SLOTS)
        return METRIC_NONE;
    m->families[family] = (struct family){copy(name), copy(help), kind};
    atomic_fetch_add_explicit(&m->n_families, 1, memory_order_release);
    return add_series(m, family, labels);
}

void metrics_label(struct buf *labels, const char *name, hb_str value)
{
    if (labels->n > 0)
        buf_char(labels, ',');
    buf_lit(labels, name);
    buf_lit(labels, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\\' || c == '"')
            buf_char(labels, '\\');
        if (c == '\n')
            buf_lit(labels, "\\n");
        else if (c != '\0')
            buf_char(labels, c);
    }
    buf_char(labels, '"');
}

void metrics_observe(struct metrics_shard *s, metric_id id, uint64_t ns, uint64_t n)
{
    if (id == METRIC_NONE)
        return;
    unsigned bucket = 0;
    while (bucket < METRICS_BUCKETS && ns > metrics_bounds_ns[bucket])
        bucket++;
    metrics_add(s, id + bucket, (int64_t)n);
    metrics_add(s, id + METRICS_BUCKETS + 1, (int64_t)(ns * n));
}

static uint64_t sum_slot(const struct metrics *m, metric_id slot)
{
    uint64_t sum = 0;
    for (int i = 0; i < m->n_shards; i++)
        sum += atomic_load_explicit(&m->shards[i]->slots[slot], memory_order_relaxed);
    return sum;
}

static uint64_t largest_in_slot(const struct metrics *m, metric_id slot)
{
    uint64_t largest = 0;
    for (int i = 0; i < m->n_shards; i++) {
        uint64_t v = atomic_load_explicit(&m->shards[i]->slots[slot], memory_order_relaxed);
        largest = v > largest ? v : largest;
    }
    return largest;
}

static void read_histogram(const struct metrics *m, metric_id id, struct metrics_sample *s)
{
    s->count = 0;
    for (unsigned b = 0; b <= METRICS_BUCKETS; b++) {
        s->buckets[b] = sum_slot(m, id + b);
        s->count += s->buckets[b];
    }
    s->value = (double)sum_slot(m, id + METRICS_BUCKETS + 1) / 1e9;
}

static void read_series(const struct metrics *m, metric_id id, struct metrics_sample *s)
{
    switch (s->kind) {
    case METRIC_COUNTER:
        s->value = (double)sum_slot(m, id);
        break;
    case METRIC_GAUGE:
        s->value = (double)(int64_t)sum_slot(m, id);
        break;
    case METRIC_SECONDS_MAX:
        s->value = (double)largest_in_slot(m, id) / 1e9;
        break;
    case METRIC_UP:
        s->value = largest_in_slot(m, id) == 0;
        break;
    case METRIC_HISTOGRAM:
        read_histogram(m, id, s);
        break;
    }
}

void metrics_each(const struct metrics *m, void (*fn)(const struct metrics_sample *s, void *arg),
    void *arg)
{
    unsigned n_families = atomic_load_explicit(&m->n_families, memory_order_acquire);
    unsigned n_series = atomic_load_explicit(&m->n_series, memory_order_acquire);
    for (unsigned f = 0; f < n_families; f++)
        for (unsigned i = 0; i < n_series; i++) {
            if (m->series[i].family != f)
                continue;
            const struct family *family = &m->families[f];
            struct metrics_sample s = {.name = family->name, .help = family->help,
                .kind = family->kind, .labels = m->series[i].labels};
            read_series(m, m->series[i].id, &s);
            fn(&s, arg);
        }
}
