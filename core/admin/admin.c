#include "admin/admin.h"
#include "base/metrics_core.h"
#include "base/str.h"

static const struct route {
    const char *method;
    const char *path;  /* a segment `*` stands for any one, handed over decoded */
    bool open;         /* no token needed */
    void (*handle)(struct admin_call *call);
} routes[] = {
    {"GET", "/healthz", true, admin_healthz},
    {"GET", "/readyz", true, admin_readyz},
    {"GET", "/metrics", false, admin_metrics},
    {"GET", "/alerts", false, admin_alerts},
    {"GET", "/", true, admin_ui},
    {"GET", "/app.js", true, admin_ui},
    {"GET", "/graph.js", true, admin_ui},
    {"GET", "/app.css", true, admin_ui},
    {"GET", "/icon.svg", true, admin_ui},
    {"GET", "/api/v1/stats", false, admin_stats},
    {"GET", "/api/v1/nodes", false, admin_nodes},
    {"GET", "/api/v1/plugins", false, admin_plugins},
    {"GET", "/api/v1/rooms", false, admin_rooms},
    {"GET", "/api/v1/rooms/*", false, admin_room},
    {"GET", "/api/v1/rooms/*/presence", false, admin_room_presence},
    {"GET", "/api/v1/rooms/*/history", false, admin_room_history},
    {"POST", "/api/v1/rooms/*/members", false, admin_members_add},
    {"DELETE", "/api/v1/rooms/*/members", false, admin_members_remove},
    {"GET", "/api/v1/sessions", false, admin_sessions},
    {"GET", "/api/v1/sessions/*", false, admin_session},
    {"DELETE", "/api/v1/sessions/*", false, admin_session_end},
    {"DELETE", "/api/v1/users/*/sessions", false, admin_user_end},
    {"POST", "/api/v1/publish", false, admin_publish},
    {"POST", "/api/v1/broadcast", false, admin_broadcast},
    {"POST", "/api/v1/revocations", false, admin_revoke},
    {"POST", "/api/v1/reload", false, admin_reload},
    {"POST", "/api/v1/drain", false, admin_drain},
};

enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* --- answers ---------------------------------------------------------------------------------- */

void admin_text(struct admin_call *call, int status, const char *content_type, hb_str body)
{
    const hb_header headers[] = {
        {HB_STR("content-type"), str_of(content_type)},
        {HB_STR("cache-control"), HB_STR("no-store")},
        {HB_STR("x-content-type-options"), HB_STR("nosniff")},
    };
    call->control->hub->io->respond(call->req, status, headers, 3, body);
}

void admin_json(struct admin_call *call, int status, hb_str body)
{
    admin_text(call, status, "application/json", body);
}

void admin_error(struct admin_call *call, hb_code code, const char *sentence)
{
    call->control->hub->io->respond_error(call->req, code, str_of(sentence), 0);
}

/* --- routing ---------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One path segment, percent-decoded; absent when malformed. */
static hb_str decode(struct buf *into, hb_str segment)
{
    size_t at = into->n;
    for (size_t i = 0; i < segment.n; i++) {
        char c = segment.p[i];
        if (c == '%') {
            int high = i + 2 < segment.n ? hex(segment.p[i + 1]) : -1;
            int low = i + 2 < segment.n ? hex(segment.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return (hb_str){NULL, 0};
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf_char(into, c);
    }
    return (hb_str){into->p + at, into->n - at};
}

static bool matches(const char *pattern, hb_str path, hb_str found[2])
{
    hb_str want_rest = str_of(pattern), rest = path, want, got;
    size_t n = 0;
    while (str_split(&want_rest, '/', &want)) {
        if (!str_split(&rest, '/', &got))
            return false;
        if (str_eq(want, HB_STR("*")) && got.n > 0)
            found[n++] = got;
        else if (!str_eq(want, got))
            return false;
    }
    return !rest.p;
}

static bool take_segments(struct admin_call *call, hb_str found[2])
{
    buf_reserve(&call->decoded, found[0].n + found[1].n); /* so that it never moves */
    for (int i = 0; i < 2 && found[i].p; i++) {
        call->segment[i] = decode(&call->decoded, found[i]);
        if (!call->segment[i].p)
            return false;
    }
    return true;
}

static void refuse_method(struct admin_call *call, struct buf *allow)
{
    static const char body[] = "{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"see Allow\"}}";
    const hb_header headers[] = {
        {HB_STR("allow"), buf_view(allow)}, {HB_STR("content-type"), HB_STR("application/json")}};
    call->control->hub->io->respond(call->req, 405, headers, 2, HB_STR(body));
}

static bool same_method(const struct route *r, hb_str method)
{
    return str_eq(method, str_of(r->method)) ||
        (str_eq(method, HB_STR("HEAD")) && str_eq(str_of(r->method), HB_STR("GET")));
}

static void run(struct admin_call *call, const struct route *r, hb_str found[2])
{
    if (!admin_access(call, r->open))
        return;
    if (take_segments(call, found))
        r->handle(call);
    else
        admin_error(call, HB_BAD_REQUEST, "a %-escape in the path is malformed");
}

void admin_request(struct shard *control, hb_request *req)
{
    struct admin_call call = {.control = control, .req = req, .decoded = BUF_INIT};
    struct buf allow = BUF_INIT;
    const struct route *found_route = NULL;
    hb_str found[2] = {{NULL, 0}, {NULL, 0}};
    for (int i = 0; i < N_ROUTES && !found_route; i++) {
        hb_str parts[2] = {{NULL, 0}, {NULL, 0}};
        if (!matches(routes[i].path, req->path, parts))
            continue;
        if (same_method(&routes[i], req->method)) {
            found_route = &routes[i];
            found[0] = parts[0];
            found[1] = parts[1];
        } else {
            buf_lit(&allow, allow.n > 0 ? ", " : "");
            buf_lit(&allow, routes[i].method);
        }
    }
    if (found_route)
        run(&call, found_route, found);
    else if (allow.n > 0)
        refuse_method(&call, &allow);
    else if (admin_access(&call, false))
        admin_error(&call, HB_NOT_FOUND, "there is nothing here");
    buf_finish(&allow);
    buf_finish(&call.decoded);
}
