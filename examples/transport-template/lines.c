/*
 * lines: a transport to start from. GET /lines?room=A&room=B[&cursor=C] joins the rooms and streams
 * what the session is told, a line of JSON for each event; ops come by POST /hub/send, as for every
 * transport. One way of using it: curl -N 'http://localhost:3000/lines?room=lobby'
 *
 * A connection, from its request on:
 *     claim → request → opened → started → on_open … on_closed → ended
 */
#include <hubbub/transport.h>
#include <stdlib.h>
#include <string.h>

enum { ROOMS_MAX = 128 };

struct options {
    const char *path;
};

static const hb_option options_table[] = {
    {.key = "path", .type = HB_OPT_STRING, .offset = offsetof(struct options, path),
        .def = "/lines", .doc = "where it is found"},
    {.key = NULL},
};

/* Freed when its session has ended and no callback of its stream is to come. */
struct conn {
    const hb_net *net;
    hb_session *session; /* NULL: over */
    hb_request *req;     /* not answered yet, or NULL */
    bool taken;          /* the connection was taken over: on_open is to come */
};

/* ---- the stream ---- */

static void on_open(void *owner, hb_stream *stream)
{
    struct conn *c = owner;
    c->taken = false;
    if (c->session && stream) {
        c->net->attach(c->session, stream);
    } else if (c->session) { /* the client is gone */
        c->net->end(c->session, HB_END_CLIENT, false);
    } else { /* the session is */
        if (stream)
            c->net->stream_close(stream);
        free(c);
    }
}

/* Nothing is expected from the client. */
static size_t on_data(void *owner, const char *bytes, size_t n)
{
    return n;
}

static void on_closed(void *owner)
{
    struct conn *c = owner;
    c->net->end(c->session, HB_END_CLIENT, false);
}

static const hb_stream_events events = {
    .size = sizeof(events), .open = on_open, .data = on_data, .closed = on_closed};

/* ---- the request ---- */

static void on_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->req = NULL;
    c->net->end(c->session, HB_END_CLIENT, true);
}

/* The rooms are joined, or none of them may be: only now the status is decided. */
static void started(const hb_ctx *ctx, void *conn, hb_code code, hb_str message)
{
    static const hb_header headers[] = {
        {HB_STR("content-type"), HB_STR("application/x-ndjson")},
        {HB_STR("cache-control"), HB_STR("no-store")},
    };
    struct conn *c = conn;
    hb_request *req = c->req;
    c->req = NULL;
    if (code != HB_OK) {
        c->net->respond_error(req, code, message, 0);
        c->net->end(c->session, HB_END_REFUSED, true);
        return;
    }
    c->taken = true;
    c->net->take_over(req, 200, headers, 2, &events, c);
}

static void opened(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session,
    hb_code code, hb_str message, int64_t retry_after_ms)
{
    struct conn *c = conn;
    hb_str rooms[ROOMS_MAX];
    size_t n = 0;
    if (!session) {
        free(c);
        ctx->host->net->respond_error(req, code, message, retry_after_ms);
        return;
    }
    c->session = session;
    c->req = req;
    req->owner = c;
    req->gone = on_gone;
    while (n < ROOMS_MAX && (rooms[n] = c->net->query(req, HB_STR("room"), n)).p)
        n++;
    c->net->start(session, rooms, n, c->net->query(req, HB_STR("cursor"), 0), started);
}

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    const struct options *o = ctx->options;
    return req->path.n == strlen(o->path) && !memcmp(req->path.p, o->path, req->path.n) &&
        req->method.n == 3 && !memcmp(req->method.p, "GET", 3);
}

static void request(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *claimed)
{
    const hb_net *net = ctx->host->net;
    if (net->query(req, HB_STR("room"), ROOMS_MAX).p) {
        net->respond_error(req, HB_BAD_REQUEST, HB_STR("Too many rooms."), 0);
        return;
    }
    struct conn *c = calloc(1, sizeof(*c));
    if (!c) {
        net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        return;
    }
    c->net = net;
    const hb_open how = {.size = sizeof(how), .conn = c, .credential = claimed->credential,
        .opened = opened};
    net->open(ctx, req, &how);
}

/* ---- the session ---- */

static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
    const hb_net *net = ctx->host->net;
    size_t before = net->out_size(out);
    net->out_json(out, ev);
    if (net->out_size(out) > before)
        net->out(out, "\n", 1);
}

/* An empty line, so that proxies and clients see life. */
static void heartbeat(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    c->net->push(c->session, "\n", 1);
}

/* Its bye is queued, and there is nothing to add: the stream ends when that is out. */
static void closing(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    struct conn *c = conn;
    c->net->end(c->session, HB_END_CLIENT, true);
}

static void ended(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    c->session = NULL;
    if (c->req)
        ctx->host->net->respond_error(c->req, HB_UNAVAILABLE, HB_STR("The session ended."), 0);
    if (!c->taken)
        free(c);
}

/* Having it says that new options may come while we run. */
static void worker_reload(const hb_ctx *ctx)
{
}

static const hb_transport transport = {
    .size = sizeof(transport),
    .variants = 1,
    .one_way = true,
    .claim = claim,
    .request = request,
    .encode = encode,
    .heartbeat = heartbeat,
    .close = closing,
    .ended = ended,
};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("lines", "1.0"),
    .description = "A stream of JSON lines",
    .options = options_table,
    .options_size = sizeof(struct options),
    .transport = &transport,
    .worker_reload = worker_reload,
};
