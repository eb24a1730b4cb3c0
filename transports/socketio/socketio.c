/* The Socket.IO transport: Engine.IO 4 and Socket.IO 5, for unmodified clients. */
#include "engine.h"
#include "recover.h"
#include "space.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAYLOAD ((int64_t)1 << 30) /* lengths of a message fit 32 bits */
#define DAY_MS 86400000.0

static const hb_option options_table[] = {
    {"path", HB_OPT_STRINGS, offsetof(struct options, paths), "/socket.io/",
        .doc = "Paths that speak Socket.IO, with and without the slash at their end"},
    {"ping_interval", HB_OPT_DURATION, offsetof(struct options, ping_interval), "25s", .min = 10,
        .max = DAY_MS, .doc = "From a pong to the next ping"},
    {"ping_timeout", HB_OPT_DURATION, offsetof(struct options, ping_timeout), "20s", .min = 10,
        .max = DAY_MS, .doc = "How long a pong may take"},
    {"max_payload", HB_OPT_SIZE, offsetof(struct options, max_payload), "1MB", .min = 1024,
        .max = MAX_PAYLOAD,
        .doc = "Of a POST, of a WebSocket message, of a packet's attachments together"},
    {"connect_timeout", HB_OPT_DURATION, offsetof(struct options, connect_timeout), "45s",
        .min = 10, .max = DAY_MS, .doc = "For entering a first namespace, credentials included"},
    {"upgrade_timeout", HB_OPT_DURATION, offsetof(struct options, upgrade_timeout), "10s",
        .min = 10, .max = DAY_MS, .doc = "For the change from polling to WebSocket"},
    {"recovery", HB_OPT_DURATION, offsetof(struct options, recovery), "2m", .max = DAY_MS,
        .doc = "How long a client that lost its connection finds all as it was; 0: never"},
    {"namespaces", HB_OPT_STRINGS, offsetof(struct options, namespaces), "/",
        .doc = "Namespaces that there are; * matches any run of characters"},
    {"events.join", HB_OPT_STRING, offsetof(struct options, join), "join-room",
        .doc = "Event of a client that joins a room; empty: none"},
    {"events.leave", HB_OPT_STRING, offsetof(struct options, leave), "leave-room",
        .doc = "Event of a client that leaves a room; empty: none"},
    {"events.publish", HB_OPT_STRINGS, offsetof(struct options, publish), "message",
        .doc = "Events of clients that are published in the room they name"},
    {"events.joined", HB_OPT_STRING, offsetof(struct options, joined), "user-joined",
        .doc = "Event that tells a room's other members of a join; empty: none"},
    {"events.left", HB_OPT_STRING, offsetof(struct options, left), "user-left",
        .doc = "Event that tells them of a leave, or a disconnect; empty: none"},
    {"fields.room", HB_OPT_STRING, offsetof(struct options, room), "roomId",
        .doc = "A message's room"},
    {"fields.user", HB_OPT_STRING, offsetof(struct options, user), "userId", .doc = "Who sent it"},
    {"fields.ts", HB_OPT_STRING, offsetof(struct options, ts), "ts",
        .doc = "When, in ms since 1970"},
    {"fields.data", HB_OPT_STRING, offsetof(struct options, data), "data",
        .doc = "What it says, where that is no object"},
    {"fields.key", HB_OPT_STRING, offsetof(struct options, key), "key",
        .doc = "Makes a message idempotent; empty: none"},
    {"fields.token", HB_OPT_STRING, offsetof(struct options, token), "token",
        .doc = "The credential, in the client's auth object"},
    {"echo", HB_OPT_STRING, offsetof(struct options, echo), NULL,
        .doc = "A path that sends every Engine.IO message back, for conformance tests only; empty: "
               "none"},
    {NULL},
};

/* ---- which requests ---- */

static hb_str without_slash(hb_str path)
{
    return path.n > 1 && path.p[path.n - 1] == '/' ? (hb_str){path.p, path.n - 1} : path;
}

static bool same_path(hb_str a, hb_str b)
{
    return str_same(without_slash(a), without_slash(b));
}

static bool is_echo(const struct options *o, hb_str path)
{
    return o->echo[0] && same_path(path, str_of(o->echo));
}

static bool is_ours(const struct options *o, hb_str path)
{
    for (size_t i = 0; i < o->paths.n; i++)
        if (same_path(path, o->paths.items[i]))
            return true;
    return is_echo(o, path);
}

/* An empty one is none. */
static hb_str sid_of(const hb_net *net, hb_request *req)
{
    hb_str sid = net->query(req, HB_STR("sid"), 0);
    return sid.n > 0 ? sid : (hb_str){NULL, 0};
}

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    const struct options *o = ctx->options;
    if (!is_ours(o, req->path))
        return false;
    out->ticket = sid_of(ctx->host->net, (hb_request *)(uintptr_t)req);
    out->body_limit = o->max_payload;
    return true;
}

/* ---- errors, in the reference's order ---- */

enum fault {
    FAULT_TRANSPORT,
    FAULT_SID,
    FAULT_METHOD,
    FAULT_BAD,
    FAULT_FORBIDDEN,
    FAULT_VERSION,
    FAULT_NONE
};

struct asked {
    hb_str transport, eio, sid;
    bool get, websocket; /* websocket: the request wants to become one */
    bool handshake_fits;
};

static bool is(hb_str s, const char *word)
{
    return str_same(s, str_of(word));
}

static enum fault judge(const struct asked *a, const struct conn *c)
{
    bool websocket = is(a->transport, "websocket");
    if (!websocket && !is(a->transport, "polling"))
        return FAULT_TRANSPORT;
    if (a->sid.p && !c)
        return FAULT_SID;
    if (!a->sid.p && !a->get)
        return FAULT_METHOD;
    if (websocket != a->websocket || (websocket && !a->handshake_fits))
        return FAULT_BAD;
    if (!is(a->eio, "4"))
        return a->sid.p ? FAULT_BAD : FAULT_VERSION;
    return FAULT_NONE;
}

static void refuse(const hb_net *net, hb_request *req, bool websocket, enum fault fault)
{
    static const char *const messages[] = {"Transport unknown", "Session ID unknown",
        "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version"};
    engine_refuse(net, req, websocket, 400, fault, str_of(messages[fault]));
}

static struct asked ask(const hb_net *net, hb_request *req)
{
    const struct handshake_request headers = link_headers(net, req);
    const char *why;
    return (struct asked){
        .transport = net->query(req, HB_STR("transport"), 0),
        .eio = net->query(req, HB_STR("EIO"), 0),
        .sid = sid_of(net, req),
        .get = is(req->method, "GET"),
        .websocket = handshake_wanted(&headers),
        .handshake_fits = handshake_check(&headers, &why) == HANDSHAKE_OK,
    };
}

static void request(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *claimed)
{
    const hb_net *net = ctx->host->net;
    const struct asked asked = ask(net, req);
    struct conn *c = conn;
    if (c && c->echo != is_echo(ctx->options, req->path))
        c = NULL;
    enum fault fault = judge(&asked, c);
    if (fault != FAULT_NONE)
        refuse(net, req, asked.websocket, fault);
    else if (!c)
        engine_open(ctx->local, req, claimed, asked.websocket, is_echo(ctx->options, req->path));
    else if (asked.websocket)
        carrier_upgrade(c, req);
    else if (asked.get)
        polling_get(c, req);
    else if (is(req->method, "POST"))
        polling_post(c, req);
    else
        refuse(net, req, false, FAULT_BAD);
}

/* ---- the module ---- */

static int check_path(hb_str path, char *error, size_t error_size)
{
    if (path.n > 1 && path.p[0] == '/' && !memchr(path.p, '?', path.n))
        return 0;
    snprintf(error, error_size,
        "the path \"%.*s\" must begin with /, say more than that and have no query", (int)path.n,
        path.p);
    return -1;
}

static int check_events(const struct options *o, char *error, size_t error_size)
{
    const char *const names[] = {o->join, o->leave, o->joined, o->left};
    const char *wrong = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (packet_is_reserved(str_of(names[i])))
            wrong = names[i];
    for (size_t i = 0; i < o->publish.n; i++)
        if (packet_is_reserved(o->publish.items[i]))
            wrong = o->publish.items[i].p;
    if (wrong)
        snprintf(error, error_size, "no event can be named %s: clients keep that name", wrong);
    return wrong ? -1 : 0;
}

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    const struct options *o = options;
    (void)host;
    for (size_t i = 0; i < o->paths.n; i++) {
        if (check_path(o->paths.items[i], error, error_size) != 0)
            return -1;
        if (is_echo(o, o->paths.items[i])) {
            snprintf(error, error_size, "the echo path %s is one of `path` too", o->echo);
            return -1;
        }
    }
    if (check_events(o, error, error_size) != 0)
        return -1;
    if (!o->room[0] || !o->user[0] || !o->ts[0] || !o->data[0] || !o->token[0]) {
        snprintf(error, error_size, "only fields.key may be empty");
        return -1;
    }
    if (o->echo[0] && check_path(str_of(o->echo), error, error_size) != 0)
        return -1;
    return space_check(&o->namespaces, error, error_size);
}

static void read_options(struct worker *w, const struct options *o)
{
    w->options = o;
    w->names = (struct shape_names){.room = str_of(o->room),
        .user = str_of(o->user),
        .ts = str_of(o->ts),
        .data = str_of(o->data),
        .key = str_of(o->key)};
}

static void worker_reload(const hb_ctx *ctx)
{
    read_options(ctx->local, ctx->options);
}

static void destroy(struct worker *w)
{
    records_stop(w);
    alarms_finish(&w->alarms);
    records_destroy(w->records);
    w->net->out_destroy(w->out);
    bytes_finish(&w->text);
    bytes_finish(&w->parts);
    free(w);
}

static int worker_init(const hb_ctx *ctx, void **local)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return -1;
    w->ctx = ctx;
    w->net = ctx->host->net;
    w->began_ms = ctx->host->now_ms();
    alarms_init(&w->alarms, ctx, engine_ring);
    w->out = w->net->out_create();
    w->records = records_create();
    if (!w->out || !w->records) {
        destroy(w);
        return -1;
    }
    read_options(w, ctx->options);
    *local = w;
    return 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    destroy(ctx->local);
}

static const hb_transport transport = {
    .size = sizeof(hb_transport),
    .variants = FORMS,
    .one_way = true, /* it has pings of its own */
    .cursors = true,
    .claim = claim,
    .request = request,
    .encode = wire_encode,
    .fill = wire_fill,
    .ready = polling_ready,
    .close = engine_close,
    .ended = engine_ended,
    .event = socket_event,
    .members = true,
    .lone = FORM_LONE,
};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("socketio", "1.0"),
    .description = "Socket.IO 5 over Engine.IO 4: polling, WebSocket, upgrade, recovery",
    .options = options_table,
    .options_size = sizeof(struct options),
    .session_slot = true,
    .transport = &transport,
    .check = check,
    .worker_init = worker_init,
    .worker_finish = worker_finish,
    .worker_reload = worker_reload,
};
