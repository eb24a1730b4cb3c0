#include "admin/alerts.h"
#include "base/str.h"
#include "conf/parse.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

/* Alertmanager takes an alert for resolved that it has not heard of for that long. */
enum { LASTS_MS = 5 * 60 * 1000 };

static void put_time(struct buf *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

void alerts_text_fill(struct buf *out, hb_str text, double value)
{
    size_t open, close;
    while ((open = str_find(text, HB_STR("{{"))) != SIZE_MAX) {
        hb_str rest = str_sub(text, open + 2, SIZE_MAX);
        close = str_find(rest, HB_STR("}}"));
        if (close == SIZE_MAX)
            break;
        hb_str word = str_trim(str_sub(rest, 0, close));
        buf_append(out, text.p, open);
        if (str_eq(word, HB_STR("value")) || str_eq(word, HB_STR("$value")))
            buf_printf(out, "%.4g", value);
        else
            buf_append(out, text.p + open, close + 4);
        text = str_sub(rest, close + 2, SIZE_MAX);
    }
    buf_str(out, text);
}

static void put_pair(struct buf *out, hb_str key, hb_str value)
{
    buf_lit(out, out->n > 0 && out->p[out->n - 1] == '{' ? "" : ",");
    buf_json_str(out, key);
    buf_char(out, ':');
    buf_json_str(out, value);
}

static void put_labels(struct buf *out, const struct rule *r, const char *node)
{
    const hb_node *labels = r->config->labels;
    buf_lit(out, "\"labels\":{");
    put_pair(out, HB_STR("alertname"), str_of(r->config->alert));
    if (!node_get(labels, HB_STR("node")))
        put_pair(out, HB_STR("node"), str_of(node));
    for (size_t i = 0; i < node_count(labels); i++)
        if (!str_eq(node_text(node_key(labels, i)), HB_STR("alertname")))
            put_pair(out, node_text(node_key(labels, i)), node_text(node_item(labels, i)));
    buf_char(out, '}');
}

static void put_annotations(struct buf *out, const struct rule *r)
{
    const hb_node *texts = r->config->annotations;
    buf_lit(out, ",\"annotations\":{");
    for (size_t i = 0; i < node_count(texts); i++) {
        struct buf filled = BUF_INIT;
        alerts_text_fill(&filled, node_text(node_item(texts, i)), r->value);
        put_pair(out, node_text(node_key(texts, i)), buf_view(&filled));
        buf_finish(&filled);
    }
    buf_char(out, '}');
}

static const char *state_word(const struct rule *r)
{
    return r->state == RULE_FIRING ? "firing" : r->state == RULE_PENDING ? "pending" : "resolved";
}

void alerts_text_state(struct buf *out, const struct rule *r, const char *node)
{
    buf_char(out, '{');
    put_labels(out, r, node);
    put_annotations(out, r);
    buf_printf(out, ",\"state\":\"%s\",\"activeAt\":", state_word(r));
    put_time(out, r->active_at);
    if (r->state == RULE_QUIET && r->resolved_at) {
        buf_lit(out, ",\"resolvedAt\":");
        put_time(out, r->resolved_at);
    }
    buf_printf(out, ",\"value\":\"%.6g\"}", r->value);
}

void alerts_text_manager(struct buf *out, const struct rule *r, const struct config *config, int64_t now_ms)
{
    buf_char(out, '{');
    put_labels(out, r, config->node);
    put_annotations(out, r);
    buf_lit(out, ",\"startsAt\":");
    put_time(out, r->active_at);
    buf_lit(out, ",\"endsAt\":");
    put_time(out, r->state == RULE_FIRING ? now_ms + LASTS_MS : r->resolved_at);
    buf_printf(out, ",\"generatorURL\":\"http://%s%s%s:%lld/\"}", str_find(str_of(config->admin.address), HB_STR(":")) == SIZE_MAX ? "" : "[",
        config->admin.address, str_find(str_of(config->admin.address), HB_STR(":")) == SIZE_MAX ? "" : "]",
        (long long)config->admin.port);
}
