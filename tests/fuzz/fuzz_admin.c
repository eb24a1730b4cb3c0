/*
 * What the admin endpoint reads: whole requests against a pipeline with two workers and two
 * clients, each of which must get one answer that is JSON and no 500; who may ask at all; metrics
 * of alert rules; hostile values as metric labels and in the log. The first byte chooses.
 */
#include "../unit/pipeline.h"
#include "admin/admin.h"
#include "admin/rule.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics_text.h"
#include "base/str.h"
#include "fuzz.h"
#include "server/query.h"
#include "server/request.h"
#include "server/series.h"
#include <stdlib.h>
#include <string.h>

/* --- requests ------------------------------------------------------------------------------------- */

/* Those that need no more than sessions and rooms; each `*` becomes the input's first line. */
static const struct {
    const char *method, *path;
} routes[] = {
    {"GET", "/api/v1/rooms"},
    {"GET", "/api/v1/rooms/*"},
    {"GET", "/api/v1/rooms/*/presence"},
    {"GET", "/api/v1/rooms/*/history"},
    {"POST", "/api/v1/rooms/*/members"},
    {"DELETE", "/api/v1/rooms/*/members"},
    {"GET", "/api/v1/sessions"},
    {"GET", "/api/v1/sessions/*"},
    {"DELETE", "/api/v1/sessions/*"},
    {"DELETE", "/api/v1/users/*/sessions"},
    {"POST", "/api/v1/publish"},
    {"POST", "/api/v1/broadcast"},
    {"POST", "/api/v1/revocations"},
    {"POST", "/*"},
};

static struct query *query;
static int answers;

static hb_str on_header(const hb_request *req, hb_str name)
{
    if (str_eq(name, HB_STR("host")))
        return HB_STR("localhost:9100");
    return str_eq(name, HB_STR("content-type")) ? HB_STR("application/json") : (hb_str){NULL, 0};
}

static hb_str on_query(hb_request *req, hb_str key, size_t nth)
{
    return query ? query_get(query, key, nth) : (hb_str){NULL, 0};
}

static void on_respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body)
{
    HOLDS(++answers == 1);
    HOLDS(status == 200 || (status >= 400 && status < 500));
    HOLDS(json_check(body, JSON_DEPTH_MAX, NULL) == JSON_OK);
}

static void on_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms)
{
    struct buf body = BUF_INIT;
    request_error_body(&body, code, message);
    on_respond(req, request_status(code), NULL, 0, buf_view(&body));
    buf_finish(&body);
}

static void put_path(struct buf *out, const char *pattern, hb_str name)
{
    for (; *pattern; pattern++) {
        if (*pattern == '*')
            buf_str(out, name);
        else
            buf_char(out, *pattern);
    }
}

/* LINE "\n" QUERY "\n" BODY */
static void try_request(hb_str in)
{
    const char *yaml =
        "workers: 2\nrooms: [{match: '*', join: anyone, publish: members, presence: true, "
        "history: {messages: 5, age: 1m}}]\nlimits: {rooms: 50}\nlog: {level: error}\n";
    struct pipeline *p = pipeline_start(yaml, NULL);
    struct hub *hub = pipeline_shard(p, 0)->hub;
    struct io_ops io = *hub->io;
    struct buf path = BUF_INIT;
    hb_str rest = in, name = {NULL, 0}, text = {NULL, 0};
    io.header = on_header;
    io.query = on_query;
    io.respond = on_respond;
    io.respond_error = on_error;
    hub->io = &io;
    client_send(client_open(p, 0, NULL, false), "{\"type\":\"join\",\"room\":\"lobby\"}");
    client_send(client_open(p, 1, NULL, true), "{\"type\":\"join\",\"room\":\"lobby\"}");
    size_t route = in.n ? (unsigned char)in.p[0] % (sizeof(routes) / sizeof(routes[0])) : 0;
    rest = str_sub(rest, 1, SIZE_MAX);
    str_split(&rest, '\n', &name);
    str_split(&rest, '\n', &text);
    put_path(&path, routes[route].path, name);
    query = query_parse(text);
    hb_request req = {.method = str_of(routes[route].method),
        .path = buf_view(&path),
        .query = text,
        .body = rest.p ? rest : (hb_str){"", 0}};
    answers = 0;
    admin_request(pipeline_shard(p, hub->n_workers), &req);
    pipeline_advance(p, 60 * 1000);
    HOLDS(answers == 1);
    free(query);
    query = NULL;
    buf_finish(&path);
    pipeline_stop(p);
}

/* --- who may ask ---------------------------------------------------------------------------------- */

/* HOST "\n" ORIGIN "\n" CONTENT-TYPE "\n" AUTHORIZATION */
static void try_judge(hb_str in)
{
    struct config open = {.admin.token = ""}, closed = {.admin.token = "hunter2"};
    struct server_asker who = {.method = HB_STR("POST")};
    const char *why = NULL;
    hb_str rest = in, host, name;
    str_split(&rest, '\n', &who.host);
    str_split(&rest, '\n', &who.origin);
    str_split(&rest, '\n', &who.content_type);
    who.authorization = rest;
    host = who.host;
    if (admin_judge(&open, &who, &why) == HB_OK) {
        str_split(&host, ':', &name);
        HOLDS(str_eq_nocase(name, HB_STR("localhost")) || str_starts(name, HB_STR("127.")) ||
              str_starts(who.host, HB_STR("[::1]")));
        HOLDS(
            !who.origin.p || str_find(who.origin, who.host) == 7 || who.origin.n == 7 + who.host.n);
        HOLDS(who.content_type.n >= 16);
    }
    HOLDS(why != NULL);
    if (admin_judge(&closed, &who, &why) == HB_OK)
        HOLDS(str_ends(str_trim(who.authorization), HB_STR("hunter2")));
}

/* --- metrics -------------------------------------------------------------------------------------- */

static struct config *config_with_metric(hb_str metric)
{
    struct errors errors;
    struct buf yaml = BUF_INIT;
    errors_init(&errors);
    buf_lit(&yaml, "alerts: {rules: [{alert: A, above: 1, metric: ");
    buf_json_str(&yaml, metric);
    buf_lit(&yaml, "}]}\n");
    struct config *c = config_parse("fuzz", buf_view(&yaml), &errors);
    errors_finish(&errors);
    buf_finish(&yaml);
    return c;
}

static void try_rule(hb_str in)
{
    struct config *c = config_with_metric(in);
    struct errors errors;
    struct rule rule;
    if (!c)
        return;
    struct metrics *m = metrics_create(1);
    metrics_core_register(m, "fuzz");
    errors_init(&errors);
    series_check_rules(c, m, NULL, &errors);
    rule_init(&rule, &c->alerts.items[0]);
    reading_take((struct reading *[]){&rule.metric}, 1, m, true);
    HOLDS(rule.metric.found == (errors.fatal == 0));
    HOLDS(rule_tick(&rule, 1000, 1000) <= RULE_ENDED);
    rule_finish(&rule);
    errors_finish(&errors);
    metrics_destroy(m);
    config_free(c);
}

/* One line for one series, whatever a value holds, which can be read back. */
static void try_label(hb_str in)
{
    struct metrics *m = metrics_create(0);
    struct buf labels = BUF_INIT, text = BUF_INIT;
    size_t lines = 0, value = 0;
    metrics_label(&labels, "name", in);
    buf_char(&labels, '\0');
    HOLDS(metrics_register(m, METRIC_GAUGE, "fuzz", "help", labels.p) != METRIC_NONE);
    metrics_render(m, &text);
    hb_str page = buf_view(&text);
    size_t at = str_find(page, HB_STR("\nfuzz{name=\""));
    HOLDS(at != SIZE_MAX);
    hb_str rest = str_sub(page, at + 12, SIZE_MAX);
    while (rest.n && *rest.p != '"') {
        HOLDS(*rest.p != '\n');
        value++;
        rest = str_sub(rest, *rest.p == '\\' ? 2 : 1, SIZE_MAX);
    }
    HOLDS(str_starts(rest, HB_STR("\"} 0\n")));
    for (size_t i = 0; i < in.n; i++)
        lines += in.p[i] != '\0';
    HOLDS(value == lines);
    buf_finish(&labels);
    buf_finish(&text);
    metrics_destroy(m);
}

/* --- the log -------------------------------------------------------------------------------------- */

static void on_line(const char *line, size_t n, void *arg)
{
    HOLDS(memchr(line, '\n', n) == line + n - 1);
    if (*(bool *)arg)
        HOLDS(json_check((hb_str){line, n}, JSON_DEPTH_MAX, NULL) == JSON_OK);
    for (size_t i = 0; i < n - 1; i++)
        HOLDS((unsigned char)line[i] >= 0x20 && (*(bool *)arg || line[i] != 0x7f));
}

static void try_log(hb_str in)
{
    static uint64_t now = 1000000;
    struct buf target = BUF_INIT;
    bool json;
    clock_fake(now += 2000, 1700000000000); /* so that no line is held back */
    log_redact_query(in, &target);
    log_capture(on_line, &json);
    for (int i = 0; i < 2; i++) {
        json = i == 0;
        log_configure(LOG_INFO, json);
        log_write(LOG_INFO, "fuzz", "room=%.*s", (int)in.n, in.p);
        log_write(LOG_INFO, "fuzz", "target=%.*s", (int)target.n, target.p ? target.p : "");
    }
    log_capture(NULL, NULL);
    log_configure(LOG_ERROR, false);
    clock_real();
    buf_finish(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(hb_str) = {
        try_request, try_request, try_request, try_judge, try_rule, try_label, try_log};
    if (size < 1)
        return 0;
    tries[data[0] % 7]((hb_str){(const char *)data + 1, size - 1});
    return 0;
}
