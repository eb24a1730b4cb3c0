/* The WebSocket transport (RFC 6455): hubbub's own protocol, one JSON object to a text message. */
#include "conn.h"
#include "../common/handshake.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum variant { PLAIN, DEFLATED, VARIANTS };

struct options {
    hb_strings paths;
    const char *echo;
    bool compression;
    int64_t threshold;
};

static const hb_option options_table[] = {
    {"path", HB_OPT_STRINGS, offsetof(struct options, paths), "[/hub/ws, /]",
        .doc = "Paths that speak WebSocket; on / only requests that ask for it are taken"},
    {"compression.enabled", HB_OPT_BOOL, offsetof(struct options, compression), "false",
        .doc = "Agree to permessage-deflate, without context takeover"},
    {"compression.threshold", HB_OPT_SIZE, offsetof(struct options, threshold), "1KiB",
        .max = LIMIT_MAX, .doc = "Messages to clients shorter than this are sent as they are"},
    {"echo", HB_OPT_STRING, offsetof(struct options, echo), NULL,
        .doc = "A path that sends every message back, for conformance tests only; empty: none"},
    {NULL},
};

/* ---- which requests ---- */

static bool equals(hb_str s, hb_str other)
{
    return s.n == other.n && memcmp(s.p, other.p, s.n) == 0;
}

static bool is_root(hb_str path)
{
    return equals(path, HB_STR("/"));
}

static bool is_echo(const struct options *o, hb_str path)
{
    return o->echo[0] && equals(path, (hb_str){o->echo, strlen(o->echo)});
}

static bool is_ours(const struct options *o, hb_str path)
{
    for (size_t i = 0; i < o->paths.n; i++)
        if (equals(path, o->paths.items[i]))
            return true;
    return is_echo(o, path);
}

static struct handshake_request headers_of(const hb_net *net, const hb_request *req)
{
    return (struct handshake_request){
        .method = req->method,
        .http_minor = req->http_minor,
        .upgrade = net->header(req, HB_STR("upgrade")),
        .connection = net->header(req, HB_STR("connection")),
        .version = net->header(req, HB_STR("sec-websocket-version")),
        .key = net->header(req, HB_STR("sec-websocket-key")),
        .protocol = net->header(req, HB_STR("sec-websocket-protocol")),
        .extensions = net->header(req, HB_STR("sec-websocket-extensions")),
    };
}

/* Authorization comes first (protocol.md, "Credentials"): then the subprotocol is not looked at. */
static bool has_bearer(const hb_net *net, const hb_request *req)
{
    hb_str value = net->header(req, HB_STR("authorization"));
    return value.n > 7 && strncasecmp(value.p, "bearer ", 7) == 0;
}

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    const hb_net *net = ctx->host->net;
    if (!is_ours(ctx->options, req->path))
        return false;
    const struct handshake_request headers = headers_of(net, req);
    if (is_root(req->path) && !handshake_wanted(&headers))
        return false;
    if (!has_bearer(net, req))
        out->credential = handshake_token(headers.protocol);
    return true;
}

/* ---- the handshake ---- */

static void refuse(const hb_net *net, hb_request *req, enum handshake_result result,
    const char *why)
{
    static const hb_header type = {HB_STR("content-type"), HB_STR("application/json")};
    static const hb_header fresh = {HB_STR("cache-control"), HB_STR("no-store")};
    const hb_header method[] = {{HB_STR("allow"), HB_STR("GET")}, type, fresh};
    const hb_header upgrade[] = {
        {HB_STR("upgrade"), HB_STR("websocket")},
        {HB_STR("sec-websocket-version"), HB_STR("13")},
        type,
        fresh,
    };
    char body[256];
    bool wrong_method = result == HANDSHAKE_WRONG_METHOD;
    int n = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
        wrong_method ? "method_not_allowed" : "bad_request", why);
    hb_str text = {body, (size_t)n};
    if (wrong_method)
        net->respond(req, 405, method, 3, text);
    else if (result == HANDSHAKE_NO_UPGRADE)
        net->respond(req, 426, upgrade, 4, text);
    else
        net->respond_error(req, HB_BAD_REQUEST, (hb_str){why, strlen(why)}, 0);
}

static void switch_protocols(const hb_net *net, hb_request *req, struct conn *c)
{
    const struct handshake_request headers = headers_of(net, req);
    char accept[HANDSHAKE_ACCEPT_SIZE];
    handshake_accept(headers.key, accept);
    hb_header answer[4] = {
        {HB_STR("upgrade"), HB_STR("websocket")},
        {HB_STR("sec-websocket-accept"), {accept, HANDSHAKE_ACCEPT_SIZE - 1}},
    };
    size_t n = 2;
    if (!c->echo && handshake_subprotocol(headers.protocol))
        answer[n++] = (hb_header){HB_STR("sec-websocket-protocol"), HB_STR(HANDSHAKE_SUBPROTOCOL)};
    if (c->compression)
        answer[n++] = (hb_header){HB_STR("sec-websocket-extensions"),
            handshake_deflate(headers.extensions)};
    c->taken = true;
    net->take_over(req, 101, answer, n, &conn_events, c);
}

static void opened(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session,
    hb_code code, hb_str message, int64_t retry_after_ms)
{
    const hb_net *net = ctx->host->net;
    struct conn *c = conn;
    if (!session) {
        conn_destroy(c);
        net->respond_error(req, code, message, retry_after_ms);
        return;
    }
    c->session = session;
    switch_protocols(net, req, c);
}

static void request(const hb_ctx *ctx, hb_request *req, void *session_conn, const hb_claim *claimed)
{
    const hb_net *net = ctx->host->net;
    const struct options *o = ctx->options;
    const struct handshake_request headers = headers_of(net, req);
    const char *why = NULL;
    enum handshake_result result = handshake_check(&headers, &why);
    (void)session_conn;
    if (result != HANDSHAKE_OK) {
        refuse(net, req, result, why);
        return;
    }
    bool compression = o->compression && handshake_deflate(headers.extensions).p;
    struct conn *c = conn_create(ctx->local, is_echo(o, req->path), compression);
    if (!c) {
        net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        return;
    }
    if (c->echo) {
        switch_protocols(net, req, c);
        return;
    }
    const hb_open how = {
        .size = sizeof(how),
        .conn = c,
        .variant = compression ? DEFLATED : PLAIN,
        .credential = claimed->credential,
        .auth_later = true,
        .opened = opened,
    };
    net->open(ctx, req, &how);
}

/* ---- events ---- */

/* Compresses what stands behind `start`, if that pays; the first byte of its frame. */
static unsigned pack(const hb_ctx *ctx, hb_out *out, size_t start)
{
    const hb_net *net = ctx->host->net;
    struct worker *w = ctx->local;
    hb_str view = net->out_view(out), packed;
    hb_str message = {view.p + start, view.n - start};
    if (message.n < w->threshold || !deflate_message(w->deflater, message, &packed))
        return FRAME_FIN | FRAME_OP_TEXT;
    net->out_truncate(out, start);
    net->out(out, packed.p, packed.n);
    deflate_rest(w->deflater);
    return FRAME_FIN | FRAME_RSV1 | FRAME_OP_TEXT;
}

static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
    const hb_net *net = ctx->host->net;
    size_t start = net->out_size(out);
    net->out_json(out, ev);
    if (net->out_size(out) == start)
        return;
    unsigned first = variant == DEFLATED ? pack(ctx, out, start) : FRAME_FIN | FRAME_OP_TEXT;
    char head[FRAME_HEAD_MAX];
    size_t n = frame_head(head, first, net->out_size(out) - start);
    net->out_insert(out, start, head, n);
}

/* ---- the module ---- */

static int check_path(hb_str path, char *error, size_t error_size)
{
    if (path.n > 0 && path.p[0] == '/' && !memchr(path.p, '?', path.n))
        return 0;
    snprintf(error, error_size, "the path \"%.*s\" must begin with / and have no query",
        (int)path.n, path.p);
    return -1;
}

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    const struct options *o = options;
    hb_str echo = {o->echo, strlen(o->echo)};
    (void)host;
    for (size_t i = 0; i < o->paths.n; i++) {
        if (check_path(o->paths.items[i], error, error_size) != 0)
            return -1;
        if (equals(o->paths.items[i], echo)) {
            snprintf(error, error_size, "the echo path %s is one of `path` too", o->echo);
            return -1;
        }
    }
    return echo.n > 0 ? check_path(echo, error, error_size) : 0;
}

static void worker_reload(const hb_ctx *ctx)
{
    struct worker *w = ctx->local;
    const struct options *o = ctx->options;
    w->threshold = (size_t)o->threshold;
}

static int worker_init(const hb_ctx *ctx, void **local)
{
    struct worker *w = malloc(sizeof(*w));
    if (!w)
        return -1;
    w->net = ctx->host->net;
    w->threshold = (size_t)((const struct options *)ctx->options)->threshold;
    w->deflater = deflate_create();
    if (!w->deflater) {
        free(w);
        return -1;
    }
    *local = w;
    return 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    struct worker *w = ctx->local;
    deflate_destroy(w->deflater);
    free(w);
}

static const hb_transport transport = {
    .size = sizeof(hb_transport),
    .variants = VARIANTS,
    .claim = claim,
    .request = request,
    .encode = encode,
    .heartbeat = conn_heartbeat,
    .close = conn_close,
    .ended = conn_ended,
};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("websocket", "1.0"),
    .description = "WebSocket (RFC 6455) with optional compression (RFC 7692)",
    .options = options_table,
    .options_size = sizeof(struct options),
    .transport = &transport,
    .check = check,
    .worker_init = worker_init,
    .worker_finish = worker_finish,
    .worker_reload = worker_reload,
};
