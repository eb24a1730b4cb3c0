/* GET /api/v1/plugins: the modules that are loaded, transports included, and their hooks' times. */
#include "admin/page.h"
#include "base/reading.h"
#include "base/str.h"

struct hooks {
    struct buf *out;
    hb_str plugin;    /* `plugin="name"` */
    bool any;
};

static void put_hook(const struct metrics_sample *s, void *arg)
{
    struct hooks *h = arg;
    double counts[READING_BUCKETS];
    hb_str labels = str_of(s->labels), part, hook;
    if (!str_eq(str_of(s->name), HB_STR("hubbub_hook_seconds")) || !str_starts(labels, h->plugin))
        return;
    labels = str_sub(labels, h->plugin.n, SIZE_MAX); /* ,hook="…" */
    str_split(&labels, '"', &part);
    str_split(&labels, '"', &hook);
    for (int b = 0; b < READING_BUCKETS; b++)
        counts[b] = (double)s->buckets[b];
    buf_lit(h->out, h->any ? "," : "");
    buf_json_str(h->out, hook);
    buf_printf(h->out, ":{\"calls\":%llu,\"seconds\":%.9g", (unsigned long long)s->count, s->value);
    if (s->count > 0)
        buf_printf(h->out, ",\"p50\":%.6g,\"p99\":%.6g", reading_quantile(counts, 0.5),
            reading_quantile(counts, 0.99));
    buf_char(h->out, '}');
    h->any = true;
}

static void put_hooks(struct buf *out, const struct module *m, const struct metrics *metrics)
{
    struct buf label = BUF_INIT;
    struct hooks h = {.out = out};
    metrics_label(&label, "plugin", str_of(m->name));
    h.plugin = buf_view(&label);
    buf_lit(out, ",\"hooks\":{");
    metrics_each(metrics, put_hook, &h);
    buf_char(out, '}');
    buf_finish(&label);
}

static void put_module(struct buf *out, const struct module *m, const struct metrics *metrics)
{
    static const char *const kinds[] = {[MODULE_TRANSPORT] = "transport", [MODULE_PLUGIN] = "plugin",
        [MODULE_DROP_IN] = "plugin"};
    buf_lit(out, "{\"name\":");
    buf_json_str(out, str_of(m->name));
    buf_printf(out, ",\"kind\":\"%s\",\"drop_in\":%s,\"version\":", kinds[m->kind],
        m->kind == MODULE_DROP_IN ? "true" : "false");
    buf_json_str(out, str_of(m->m && m->m->version ? m->m->version : ""));
    buf_lit(out, ",\"description\":");
    buf_json_str(out, str_of(m->m && m->m->description ? m->m->description : ""));
    buf_lit(out, ",\"path\":");
    buf_json_str(out, str_of(m->path ? m->path : ""));
    buf_lit(out, ",\"status\":");
    buf_json_str(out, str_of(m->status));
    put_hooks(out, m, metrics);
    buf_char(out, '}');
}

void admin_plugins(struct admin_call *call)
{
    struct server_status st;
    struct buf out = BUF_INIT;
    server_status(&st);
    for (size_t i = 0; i < st.modules->n; i++) {
        buf_lit(&out, i > 0 ? "," : "");
        put_module(&out, st.modules->items[i], st.metrics);
    }
    page_answer_whole(call, buf_view(&out));
    buf_finish(&out);
}
