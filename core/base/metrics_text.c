#include "base/metrics_text.h"
#include "base/process.h"

struct page {
    struct buf *out;
    const char *family; /* of the sample before */
};

static void append_help(struct buf *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '\\')
            buf_lit(out, "\\\\");
        else if (*help == '\n')
            buf_lit(out, "\\n");
        else
            buf_char(out, *help);
    }
}

static const char *type_word(enum metric_kind kind)
{
    switch (kind) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_HISTOGRAM:
        return "histogram";
    default:
        return "gauge";
    }
}

static void append_head(struct buf *out, const struct metrics_sample *s)
{
    buf_printf(out, "# HELP %s ", s->name);
    append_help(out, s->help);
    buf_printf(out, "\n# TYPE %s %s\n", s->name, type_word(s->kind));
}

/* 15 digits: what a double surely holds. */
static void append_number(struct buf *out, double v)
{
    buf_printf(out, "%.15g", v);
}

static void append_labels(struct buf *out, const char *labels)
{
    if (*labels)
        buf_printf(out, "{%s}", labels);
}

static void append_bucket(struct buf *out, const struct metrics_sample *s, unsigned b, uint64_t sum)
{
    buf_printf(out, "%s_bucket{%s%sle=\"", s->name, s->labels, *s->labels ? "," : "");
    if (b < METRICS_BUCKETS)
        append_number(out, (double)metrics_bounds_ns[b] / 1e9);
    else
        buf_lit(out, "+Inf");
    buf_lit(out, "\"} ");
    buf_u64(out, sum);
    buf_char(out, '\n');
}

static void append_histogram(struct buf *out, const struct metrics_sample *s)
{
    uint64_t sum = 0;
    for (unsigned b = 0; b <= METRICS_BUCKETS; b++)
        append_bucket(out, s, b, sum += s->buckets[b]);
    buf_printf(out, "%s_sum", s->name);
    append_labels(out, s->labels);
    buf_char(out, ' ');
    append_number(out, s->value);
    buf_printf(out, "\n%s_count", s->name);
    append_labels(out, s->labels);
    buf_char(out, ' ');
    buf_u64(out, s->count);
    buf_char(out, '\n');
}

static void append_sample(const struct metrics_sample *s, void *arg)
{
    struct page *page = arg;
    if (page->family != s->name)
        append_head(page->out, s);
    page->family = s->name;
    if (s->kind == METRIC_HISTOGRAM) {
        append_histogram(page->out, s);
        return;
    }
    buf_lit(page->out, s->name);
    append_labels(page->out, s->labels);
    buf_char(page->out, ' ');
    append_number(page->out, s->value);
    buf_char(page->out, '\n');
}

void metrics_render(const struct metrics *m, struct buf *out)
{
    struct page page = {out, NULL};
    metrics_each(m, append_sample, &page);
    process_each(append_sample, &page);
}
