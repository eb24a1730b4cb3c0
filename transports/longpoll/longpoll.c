/* Long polling: hubbub's own protocol, answers fetched by GET or POST; ops come by POST to send. */
#include "conn.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 64 };

struct options {
    hb_strings paths;
    int64_t wait_ms;
    int64_t linger_ms;
};

static const hb_option options_table[] = {
    {"path", HB_OPT_STRINGS, offsetof(struct options, paths), "/hub/poll",
        .doc = "Paths that answer polls"},
    {"wait", HB_OPT_DURATION, offsetof(struct options, wait_ms), "25s", .min = 1, .max = 3600000,
        .doc = "A poll is answered with an empty list when nothing came for so long"},
    {"linger", HB_OPT_DURATION, offsetof(struct options, linger_ms), "30s", .min = 1, .max = 3600000,
        .doc = "A session without a poll for so long ends"},
    {NULL},
};

void opening_free(const hb_net *net, struct opening *o)
{
    if (o)
        json_decref(o->owner);
    opening_destroy(net, o);
}

/* ---- what a request asks for ---- */

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    const struct options *o = ctx->options;
    const hb_net *net = ctx->host->net;
    if (!http_is_one_of(&o->paths, req->path))
        return false;
    out->ticket = net->header(req, HB_STR("hub-ticket"));
    if (!out->ticket.p)
        out->ticket = net->query((hb_request *)(uintptr_t)req, HB_STR("ticket"), 0);
    return true;
}

static hb_str string_of(const json_t *value)
{
    return (hb_str){json_string_value(value), json_string_length(value)};
}

/* A string or a list of strings; nothing for null. */
static bool add_strings(struct opening *o, json_t *value, bool (*add)(struct opening *, hb_str))
{
    size_t i;
    json_t *item;
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value))
        return add(o, string_of(value));
    if (!json_is_array(value))
        return false;
    json_array_foreach(value, i, item)
        if (!json_is_string(item) || !add(o, string_of(item)))
            return false;
    return true;
}

static bool is_json(hb_str type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;
    return type.n >= n && strncasecmp(type.p, json, n) == 0 &&
        (type.n == n || type.p[n] == ';' || type.p[n] == ' ');
}

static bool is_deeper(const json_t *value, unsigned levels)
{
    size_t i;
    const char *key;
    json_t *item;
    if (!json_is_array(value) && !json_is_object(value))
        return false;
    if (levels == 0)
        return true;
    json_array_foreach(value, i, item)
        if (is_deeper(item, levels - 1))
            return true;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
        if (is_deeper(item, levels - 1))
            return true;
    return false;
}

static hb_code read_body(const hb_net *net, hb_request *req, struct opening *o)
{
    if (!http_method_is(req, HB_STR("POST")) || req->body.n == 0)
        return HB_OK;
    if (!is_json(net->header(req, HB_STR("content-type"))))
        return HB_UNSUPPORTED_MEDIA_TYPE;
    json_t *body = json_loadb(req->body.p, req->body.n, JSON_REJECT_DUPLICATES, NULL);
    o->owner = body;
    if (!json_is_object(body) || is_deeper(body, DEPTH_MAX) ||
        !add_strings(o, json_object_get(body, "rooms"), opening_add_room) ||
        !add_strings(o, json_object_get(body, "cursor"), opening_add_cursor))
        return HB_BAD_REQUEST;
    return HB_OK;
}

static const char *sentence_of(hb_code code)
{
    switch (code) {
    case HB_UNSUPPORTED_MEDIA_TYPE:
        return "The body is sent as application/json.";
    case HB_BAD_REQUEST:
        return "The body is an object with rooms, a list of names, and a cursor, at most 64 deep.";
    default:
        return "Out of memory.";
    }
}

/* NULL: it is answered already. */
static struct opening *read_opening(const hb_net *net, hb_request *req)
{
    struct opening *o = opening_create();
    hb_code code = o && opening_add_query(net, req, o) ? read_body(net, req, o) : HB_UNAVAILABLE;
    if (code == HB_OK) {
        opening_settle(net, o);
        return o;
    }
    opening_free(net, o);
    net->respond_error(req, code, (hb_str){sentence_of(code), strlen(sentence_of(code))}, 0);
    return NULL;
}

/* ---- requests ---- */

static void opened(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session,
    hb_code code, hb_str message, int64_t retry_after_ms)
{
    if (session) {
        conn_start(conn, req, session);
        return;
    }
    conn_destroy(conn);
    ctx->host->net->respond_error(req, code, message, retry_after_ms);
}

static void open_session(const hb_ctx *ctx, hb_request *req, struct opening *opening,
    hb_str credential)
{
    const hb_net *net = ctx->host->net;
    struct conn *c = conn_create(ctx->local, opening);
    if (!c) {
        opening_free(net, opening);
        net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 0);
        return;
    }
    const hb_open how = {
        .size = sizeof(how),
        .conn = c,
        .credential = credential,
        .opened = opened,
    };
    net->open(ctx, req, &how);
}

/* A ticket that is unknown, or of a session that has nothing to say any more, is no hindrance to who
 * names rooms: that is a client which comes back. */
static void request(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *claimed)
{
    const hb_net *net = ctx->host->net;
    if (!http_method_is(req, HB_STR("GET")) && !http_method_is(req, HB_STR("POST"))) {
        http_refuse_method(net, req, HB_STR("GET, POST"));
        return;
    }
    struct opening *o = read_opening(net, req);
    if (!o)
        return;
    hb_code code = claimed->ticket.p ? HB_NOT_FOUND : HB_OK;
    if (conn && (code = conn_poll(conn, req, o->cursors, o->n_cursors)) == HB_OK) {
        opening_free(net, o);
    } else if (code != HB_OK && o->n_rooms == 0) {
        opening_free(net, o);
        net->respond_error(req, code, HB_STR("This ticket is unknown or its session has ended."), 0);
    } else {
        open_session(ctx, req, o, claimed->credential);
    }
}

/* ---- events ---- */

static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
    (void)variant;
    ctx->host->net->out_json(out, ev);
}

/* A poll that waits is a sign of life, and one that is away has the linger time. */
static void heartbeat(const hb_ctx *ctx, void *conn)
{
    (void)ctx;
    (void)conn;
}

/* ---- the module ---- */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    (void)host;
    return http_check_paths(&((const struct options *)options)->paths, error, error_size);
}

static void worker_reload(const hb_ctx *ctx)
{
    struct worker *w = ctx->local;
    const struct options *o = ctx->options;
    w->wait_ms = (uint64_t)o->wait_ms;
    w->linger_ms = (uint64_t)o->linger_ms;
}

static int worker_init(const hb_ctx *ctx, void **local)
{
    const struct options *o = ctx->options;
    struct worker *w = malloc(sizeof(*w));
    if (!w)
        return -1;
    *w = (struct worker){ctx, ctx->host->net, (uint64_t)o->wait_ms, (uint64_t)o->linger_ms};
    *local = w;
    return 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    free(ctx->local);
}

static const hb_transport transport = {
    .size = sizeof(hb_transport),
    .variants = 1,
    .one_way = true,
    .cursors = true,
    .claim = claim,
    .request = request,
    .encode = encode,
    .ready = conn_ready,
    .heartbeat = heartbeat,
    .close = conn_close,
    .ended = conn_ended,
};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("longpoll", "1.0"),
    .description = "Long polling, with ops by POST",
    .options = options_table,
    .options_size = sizeof(struct options),
    .transport = &transport,
    .check = check,
    .worker_init = worker_init,
    .worker_finish = worker_finish,
    .worker_reload = worker_reload,
};
