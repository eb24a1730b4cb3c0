#include "server/request.h"

#include "base/str.h"
#include "server/bridge.h"
#include "server/conn.h"
#include "server/cors.h"
#include "server/park.h"
#include "server/remote.h"
#include "server/stream_local.h"
#include <string.h>

enum { RETRY_AFTER_DEFAULT_MS = 1000 };

static hb_str str_of_iovec(h2o_iovec_t v)
{
    return v.base ? (hb_str){v.base, v.len} : (hb_str){0};
}

/* ---- life ---- */

static void fill(hb_request *pub, const h2o_req_t *req, const struct conn *c, const char *remote)
{
    hb_str target = str_of_iovec(req->input.path);
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    pub->method = str_of_iovec(req->input.method);
    pub->path = target;
    if (mark) {
        pub->path.n = (size_t)(mark - target.p);
        pub->query = str_sub(target, pub->path.n + 1, SIZE_MAX);
        if (!pub->query.p)
            pub->query = HB_STR("");
    }
    pub->body = req->entity.base ? str_of_iovec(req->entity) : HB_STR("");
    pub->remote = str_of(remote);
    pub->tls = c->sock->ssl != NULL;
    pub->http_minor = req->version >= 0x101;
}

struct request *request_create(struct worker *w, struct tie *tie)
{
    struct request *r = mem_zalloc(sizeof *r);
    r->details = mem_zalloc(sizeof *r->details);
    r->worker = w;
    r->tie = tie;
    tie->request = r;
    fill(&r->pub, tie->req, tie->conn, r->details->remote);
    return r;
}

static void drop_details(struct request *r)
{
    if (r->details)
        free(r->details->query);
    free(r->details);
    r->details = NULL;
}

void request_slim(struct request *r)
{
    drop_details(r);
    r->pub.method = r->pub.path = r->pub.query = r->pub.body = r->pub.remote = (hb_str){0};
}

void request_destroy(struct request *r)
{
    if (r->tie)
        r->tie->request = NULL;
    drop_details(r);
    free(r);
}

void request_abandon(struct request *r)
{
    r->tie = NULL;
    if (r->pub.gone)
        r->pub.gone(&r->pub);
    request_destroy(r);
}

bool request_give_up(struct tie *tie)
{
    struct request *r = tie->request;
    if (!r)
        return false;
    if (r->pub.gone)
        r->pub.gone(&r->pub);
    tie->req->http1_is_persistent = 0;
    request_respond_error(&r->pub, HB_UNAVAILABLE, HB_STR("The server is shutting down."), 0);
    return true;
}

/* ---- looking ---- */

hb_str request_header(const hb_request *req, hb_str name)
{
    const struct request *r = request_of(req);
    if (r->far)
        return bridge_header(r->far, name);
    if (r->remote)
        return remote_header(r->remote, name);
    if (!r->tie)
        return (hb_str){0};
    const h2o_req_t *h = r->tie->req;
    /* h2o keeps these two elsewhere; Upgrade only where Connection names it too. */
    if (str_eq(name, HB_STR("host")))
        return str_of_iovec(h->input.authority);
    if (str_eq(name, HB_STR("upgrade")))
        return str_of_iovec(h->upgrade);
    for (size_t i = 0; i < h->headers.size; i++) {
        const h2o_header_t *header = &h->headers.entries[i];
        if (header->name->len == name.n && !memcmp(header->name->base, name.p, name.n))
            return header->value.len ? str_of_iovec(header->value) : HB_STR("");
    }
    return (hb_str){0};
}

hb_str request_query(hb_request *req, hb_str key, size_t nth)
{
    struct request *r = request_of(req);
    if (!r->details || !req->query.p)
        return (hb_str){0};
    if (!r->details->query)
        r->details->query = query_parse(req->query);
    return query_get(r->details->query, key, nth);
}

/* ---- answering ---- */

const char *request_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {
        {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"},
        {204, "No Content"}, {301, "Moved Permanently"}, {302, "Found"}, {304, "Not Modified"},
        {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {409, "Conflict"}, {413, "Content Too Large"},
        {415, "Unsupported Media Type"}, {426, "Upgrade Required"}, {429, "Too Many Requests"},
        {500, "Internal Server Error"}, {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].reason;
    return status < 400 ? "OK" : "Error";
}

int request_status(hb_code code)
{
    static const int status[HB_CODE_COUNT] = {
        [HB_OK] = 200,
        [HB_BAD_REQUEST] = 400,
        [HB_UNKNOWN_TYPE] = 400,
        [HB_UNAUTHORIZED] = 401,
        [HB_TOKEN_EXPIRED] = 401,
        [HB_FORBIDDEN] = 403,
        [HB_NOT_FOUND] = 404,
        [HB_TOO_LARGE] = 413,
        [HB_TOO_MANY_ROOMS] = 400,
        [HB_ROOM_FULL] = 403,
        [HB_RATE_LIMITED] = 429,
        [HB_CONFLICT] = 409,
        [HB_METHOD_NOT_ALLOWED] = 405,
        [HB_UNSUPPORTED_MEDIA_TYPE] = 415,
        [HB_UNAVAILABLE] = 503,
        [HB_INTERNAL] = 500,
    };
    return status[code];
}

static bool has_break(hb_str s)
{
    return s.n && (memchr(s.p, '\r', s.n) || memchr(s.p, '\n', s.n));
}

void request_put_header(h2o_req_t *req, const char *name, hb_str value)
{
    hb_header header = {str_of(name), value};
    request_put_headers(req, &header, 1);
}

void request_put_headers(h2o_req_t *req, const hb_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hb_str name = headers[i].name, value = headers[i].value;
        if (!name.n || has_break(name) || has_break(value))
            continue;
        h2o_iovec_t own_name = h2o_strdup(&req->pool, name.p, name.n);
        h2o_iovec_t own_value = h2o_strdup(&req->pool, value.n ? value.p : "", value.n);
        h2o_add_header_by_str(&req->pool, &req->res.headers, own_name.base, own_name.len, 0, NULL,
            own_value.base, own_value.len);
    }
}

static void respond_here(struct request *r, int status, const hb_header *headers, size_t n,
    hb_str body)
{
    static h2o_generator_t generator = {NULL, NULL};
    struct tie *tie = r->tie;
    h2o_req_t *h = tie->req;
    bool bodiless = status == 204 || status == 304;
    bool head = str_eq(r->pub.method, HB_STR("HEAD"));
    h2o_iovec_t bytes = {NULL, 0};
    tie->ours = true;
    if (tie->conn->listener->index >= 0) /* clients are not those of the admin listener */
        metrics_add(r->worker->shard.metrics, METRIC_SENT_BYTES, (int64_t)body.n);
    h->res.status = status;
    h->res.reason = request_reason(status);
    h->res.content_length = bodiless ? SIZE_MAX : body.n;
    request_put_headers(h, headers, n);
    if (body.n && !bodiless && !head)
        bytes = h2o_strdup(&h->pool, body.p, body.n);
    request_destroy(r);
    h2o_start_response(h, &generator);
    h2o_send(h, &bytes, bytes.len ? 1 : 0, H2O_SEND_STATE_FINAL);
}

void request_respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body)
{
    struct request *r = request_of(req);
    if (r->far)
        bridge_respond(r->far, status, headers, n, body);
    else if (r->remote)
        remote_respond(r->remote, status, body);
    else if (r->parked)
        park_respond(r, body);
    else
        respond_here(r, status, headers, n, body);
}

void request_error_body(struct buf *out, hb_code code, hb_str message)
{
    buf_lit(out, "{\"error\":{\"code\":");
    buf_json_str(out, str_of(hb_code_names[code]));
    buf_lit(out, ",\"message\":");
    buf_json_str(out, message.p ? message : HB_STR(""));
    buf_lit(out, "}}");
}

void request_respond_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms)
{
    struct buf body = BUF_INIT;
    char seconds[24];
    hb_header headers[4] = {{HB_STR("content-type"), HB_STR("application/json")},
        {HB_STR("cache-control"), HB_STR("no-store")}};
    size_t n = 2;
    int status = request_status(code);
    const struct worker *w = request_of(req)->worker;
    if (status == 429 || status == 503) {
        int64_t ms = retry_after_ms > 0 ? retry_after_ms : RETRY_AFTER_DEFAULT_MS;
        snprintf(seconds, sizeof seconds, "%lld", (long long)((ms + 999) / 1000));
        headers[n++] = (hb_header){HB_STR("retry-after"), str_of(seconds)};
    }
    if (status == 401)
        headers[n++] = (hb_header){HB_STR("www-authenticate"), HB_STR("Bearer")};
    request_error_body(&body, code, message);
    if (w->shard.index < w->server->n_workers) /* the admin listener has no clients */
        metrics_error(w->shard.metrics, code);
    request_respond(req, status, headers, n, buf_view(&body));
    buf_finish(&body);
}

/* ---- the connection changes hands ---- */

/* Its head is about to go out by h2o_http1_upgrade; nothing of h2o's request is kept. */
static h2o_req_t *begin_taking(struct request *r, int status, const hb_header *headers, size_t n)
{
    h2o_req_t *h = r->tie->req;
    h->res.status = status;
    h->res.reason = request_reason(status);
    request_put_headers(h, headers, n);
    cors_put_headers(h);
    r->tie->request = NULL;
    r->tie->ours = true;
    conn_taking(r->tie->conn);
    return h;
}

void request_park(hb_request *req, const hb_header *headers, size_t n)
{
    struct request *r = request_of(req);
    if (r->far) {
        bridge_park(r->far, headers, n);
        return;
    }
    struct conn *c = r->tie->conn;
    bool chunked = req->http_minor > 0;
    bool again = chunked && r->tie->req->http1_is_persistent;
    h2o_req_t *h = begin_taking(r, 200, headers, n);
    if (chunked)
        request_put_header(h, "transfer-encoding", HB_STR("chunked"));
    if (!again)
        request_put_header(h, "connection", HB_STR("close"));
    r->tie = NULL;
    park_begin(r, c, h, chunked, again);
}

struct taking {
    struct conn *conn; /* gone when the head could not be sent */
    const hb_stream_events *events;
    void *owner;
};

static void on_taken(void *arg, h2o_socket_t *sock, size_t reqsize)
{
    struct taking t = *(struct taking *)arg;
    free(arg);
    if (sock)
        stream_local_open(t.conn, reqsize, t.events, t.owner);
    else
        t.events->open(t.owner, NULL);
}

void request_take_over(hb_request *req, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner)
{
    struct request *r = request_of(req);
    if (r->far) {
        bridge_take_over(r->far, status, headers, n, events, owner);
        return;
    }
    struct taking *t = mem_alloc(sizeof *t);
    *t = (struct taking){r->tie->conn, events, owner};
    h2o_req_t *h = begin_taking(r, status, headers, n);
    if (status != 101)
        request_put_header(h, "connection", HB_STR("close"));
    r->tie = NULL;
    request_destroy(r);
    h2o_http1_upgrade(h, NULL, 0, on_taken, t);
}
