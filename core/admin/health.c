/* /healthz, /readyz and /metrics. */
#include "admin/admin.h"
#include "base/metrics_text.h"
#include "base/str.h"

struct checks {
    struct buf json;
    bool failing;
};

static void check(struct checks *c, const char *name, const char *fault)
{
    buf_lit(&c->json, c->json.n > 0 ? "," : "");
    buf_json_str(&c->json, str_of(name));
    buf_char(&c->json, ':');
    buf_json_str(&c->json, str_of(fault ? fault : "ok"));
    c->failing |= fault != NULL;
}

static void answer(struct admin_call *call, struct checks *c)
{
    struct buf body = BUF_INIT;
    buf_printf(&body, "{\"status\":\"%s\",\"checks\":{", c->failing ? "failing" : "ok");
    buf_str(&body, buf_view(&c->json));
    buf_lit(&body, "}}\n");
    admin_json(call, c->failing ? 503 : 200, buf_view(&body));
    buf_finish(&body);
    buf_finish(&c->json);
}

void admin_healthz(struct admin_call *call)
{
    struct checks c = {BUF_INIT, false};
    struct server_status st;
    server_status(&st);
    check(&c, "workers", st.stuck_workers ? "a worker does not come back" : NULL);
    answer(call, &c);
}

static const char *state_fault(enum server_state state)
{
    switch (state) {
    case SERVER_RUNNING:
        return NULL;
    case SERVER_STARTING:
        return "starting";
    default:
        return "draining";
    }
}

static void backend_up(const struct metrics_sample *s, void *arg)
{
    if (str_eq(str_of(s->name), HB_STR("hubbub_backend_up")) && s->value < 1)
        *(bool *)arg = false;
}

void admin_readyz(struct admin_call *call)
{
    struct checks c = {BUF_INIT, false};
    struct server_status st;
    bool backend = true;
    server_status(&st);
    metrics_each(st.metrics, backend_up, &backend);
    check(&c, "state", state_fault(st.state));
    check(&c, "workers", st.stuck_workers ? "a worker does not come back" : NULL);
    check(&c, "connections",
        (int64_t)st.connections >= st.config->limits.connections ? "at limits.connections" : NULL);
    check(&c, "backend", backend ? NULL : "the backend is away");
    answer(call, &c);
}

void admin_metrics(struct admin_call *call)
{
    struct server_status st;
    struct buf text = BUF_INIT;
    server_status(&st);
    metrics_render(st.metrics, &text);
    admin_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&text));
    buf_finish(&text);
}
