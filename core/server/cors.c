#include "server/cors.h"

#include "base/str.h"
#include "server/conn.h"
#include "server/origin.h"


static hb_str origin_of(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
    if (at < 0)
        return (hb_str){0};
    h2o_iovec_t value = req->headers.entries[at].value;
    return value.len ? (hb_str){value.base, value.len} : HB_STR("");
}

void cors_put_headers(h2o_req_t *req)
{
    const struct conn *c = conn_of_request(req);
    const struct config *config = conn_worker(c)->shard.config;
    hb_str origin = origin_of(req), host = {req->input.authority.base, req->input.authority.len};
    if (c->listener->index < 0)
        return; /* the admin endpoint is for no other origin */
    request_put_header(req, "vary", HB_STR("Origin"));
    enum origin verdict = origin_check(config, origin, host);
    if (verdict != ORIGIN_OWN && verdict != ORIGIN_ALLOWED)
        return;
    bool credentials = config->cors.credentials || verdict == ORIGIN_OWN;
    request_put_header(req, "access-control-allow-origin", origin);
    if (credentials)
        request_put_header(req, "access-control-allow-credentials", HB_STR("true"));
    request_put_header(req, "access-control-expose-headers", HB_STR("Retry-After"));
}

/* Whatever headers the page asks for: what is checked is its origin. */
void cors_preflight(hb_request *req)
{
    hb_str asked = request_header(req, HB_STR("access-control-request-headers"));
    const hb_header headers[] = {
        {HB_STR("allow"), HB_STR("GET, POST, DELETE, OPTIONS")},
        {HB_STR("access-control-allow-methods"), HB_STR("GET, POST, DELETE, OPTIONS")},
        {HB_STR("access-control-max-age"), HB_STR("600")},
        {HB_STR("vary"), HB_STR("Access-Control-Request-Method, Access-Control-Request-Headers")},
        {HB_STR("access-control-allow-headers"), asked},
    };
    const size_t n = sizeof headers / sizeof headers[0];
    request_respond(req, 204, headers, asked.p ? n : n - 1, HB_STR(""));
}

/* ---- h2o's own errors, told in the protocol's form ---- */

struct error_stream {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static void send_error_body(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t n,
    h2o_send_state_t state)
{
    struct error_stream *s = (struct error_stream *)self;
    h2o_ostream_send_next(self, req, &s->body, n ? 1 : 0, state);
}

static hb_code code_of_status(int status)
{
    switch (status) {
    case 403:
        return HB_FORBIDDEN;
    case 404:
        return HB_NOT_FOUND;
    case 405:
        return HB_METHOD_NOT_ALLOWED;
    case 413:
        return HB_TOO_LARGE;
    case 503:
        return HB_UNAVAILABLE;
    default:
        return status >= 500 ? HB_INTERNAL : HB_BAD_REQUEST;
    }
}

static h2o_ostream_t **replace_body(h2o_req_t *req, h2o_ostream_t **slot)
{
    struct buf body = BUF_INIT;
    request_error_body(&body, code_of_status(req->res.status), str_of(req->res.reason));
    struct error_stream *s = (void *)h2o_add_ostream(req, sizeof *s, slot);
    s->super.do_send = send_error_body;
    s->body = h2o_strdup(&req->pool, body.p, body.n);
    buf_finish(&body);
    req->res.content_length = s->body.len;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
        H2O_STRLIT("application/json"), 1);
    return &s->super.next;
}

static void on_setup(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    const struct conn *c = conn_of_request(req);
    bool ours = c->state == CONN_HTTP && c->tie && c->tie->ours;
    if (!ours && req->res.status >= 400)
        slot = replace_body(req, slot);
    cors_put_headers(req);
    h2o_setup_next_ostream(req, slot);
}

void cors_register_filter(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof *filter);
    filter->on_setup_ostream = on_setup;
}
