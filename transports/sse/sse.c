/* Server-sent events: hubbub's own protocol, one event to a message; ops come by POST to send. */
#include "conn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PADDING_MAX = 64 << 10, PIECE = 64 };

/* COMPOSITE: the id is the session's own, a slot. LONE: for sessions in one room with a history, whose
 * id after a message is the message's cursor, the same for all of them. */
enum variant { COMPOSITE, LONE, VARIANTS };

struct options {
    hb_strings paths;
    int64_t padding;
    int64_t retry_ms;
};

static const hb_option options_table[] = {
    {"path", HB_OPT_STRINGS, offsetof(struct options, paths), "/hub/sse",
        .doc = "Paths that answer with an event stream"},
    {"padding", HB_OPT_SIZE, offsetof(struct options, padding), "2KiB", .max = PADDING_MAX,
        .doc = "A comment of this length comes first, for proxies that hold back the beginning"},
    {"retry", HB_OPT_DURATION, offsetof(struct options, retry_ms), "2s", .min = 1, .max = 3600000,
        .doc = "Delay before a reconnect, told to each client as something between half and 1.5 times this"},
    {NULL},
};

/* ---- requests ---- */

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    const struct options *o = ctx->options;
    (void)out;
    return http_is_one_of(&o->paths, req->path);
}

/* What the client's event source has seen wins over what its address says. */
static struct opening *read_opening(const hb_net *net, hb_request *req)
{
    struct opening *o = opening_create();
    if (!o)
        return NULL;
    hb_str last = net->header(req, HB_STR("last-event-id"));
    if (!opening_add_query(net, req, o) || (last.n > 0 && !opening_add_cursor(o, last))) {
        opening_destroy(net, o);
        return NULL;
    }
    if (last.n > 0) {
        o->cursors[0] = last;
        o->n_cursors = 1;
    }
    opening_settle(net, o);
    return o;
}

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

static void request(const hb_ctx *ctx, hb_request *req, void *session_conn, const hb_claim *claimed)
{
    const hb_net *net = ctx->host->net;
    (void)session_conn;
    if (!http_method_is(req, HB_STR("GET"))) {
        http_refuse_method(net, req, HB_STR("GET"));
        return;
    }
    struct opening *opening = read_opening(net, req);
    struct conn *c = opening ? conn_create(net, opening) : NULL;
    if (!c) {
        opening_destroy(net, opening);
        net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        return;
    }
    const hb_open how = {
        .size = sizeof(how),
        .conn = c,
        .credential = claimed->credential,
        .opened = opened,
    };
    net->open(ctx, req, &how);
}

/* ---- bytes ---- */

static void text(const hb_net *net, hb_out *out, const char *s)
{
    net->out(out, s, strlen(s));
}

/* Each client another delay, so that a crowd does not come back as one. */
static int64_t jittered(int64_t retry_ms)
{
    return retry_ms / 2 + (int64_t)arc4random_uniform((uint32_t)retry_ms + 1);
}

void conn_prelude(const hb_ctx *ctx, hb_out *out)
{
    static const char spaces[PIECE + 1] =
        "                                                                ";
    const hb_net *net = ctx->host->net;
    const struct options *o = ctx->options;
    char retry[48];
    if (o->padding > 0)
        text(net, out, ":");
    for (int64_t left = o->padding - 2; left > 0; left -= PIECE)
        net->out(out, spaces, (size_t)(left < PIECE ? left : PIECE));
    if (o->padding > 0)
        text(net, out, "\n");
    snprintf(retry, sizeof(retry), "retry: %lld\n\n", (long long)jittered(o->retry_ms));
    text(net, out, retry);
}

static const char *name_of(hb_event_kind kind)
{
    static const char *const names[HB_EV_KIND_COUNT] = {
        [HB_EV_WELCOME] = "welcome", [HB_EV_JOINED] = "joined", [HB_EV_REPLY] = "reply",
        [HB_EV_ERROR] = "error", [HB_EV_MESSAGE] = "message", [HB_EV_PRESENCE] = "presence",
        [HB_EV_BYE] = "bye",
    };
    return names[kind] ? names[kind] : "message";
}

/* Behind `at` stands JSON: its line breaks, white space all of them, would end the line. False: out
 * of memory. */
static bool drop_breaks(const hb_net *net, hb_out *out, size_t at)
{
    hb_str all = net->out_view(out);
    size_t n = all.n - at, kept = 0;
    if (!memchr(all.p + at, '\n', n) && !memchr(all.p + at, '\r', n))
        return true;
    char *copy = malloc(n);
    if (!copy)
        return false;
    for (size_t i = 0; i < n; i++)
        if (all.p[at + i] != '\n' && all.p[at + i] != '\r')
            copy[kept++] = all.p[at + i];
    net->out_truncate(out, at);
    net->out(out, copy, kept);
    free(copy);
    return true;
}

static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
    const hb_net *net = ctx->host->net;
    bool opening = ev->kind == HB_EV_WELCOME || ev->kind == HB_EV_JOINED;
    size_t start = net->out_size(out);
    char retry[48];
    text(net, out, "event: ");
    text(net, out, name_of(ev->kind));
    text(net, out, "\ndata: ");
    size_t at = net->out_size(out);
    net->out_json(out, ev);
    if (net->out_size(out) == at || !drop_breaks(net, out, at)) { /* no form, or no memory */
        net->out_truncate(out, start);
        return;
    }
    if (ev->kind == HB_EV_BYE && ev->reconnect && ev->delay_ms >= 0) {
        snprintf(retry, sizeof(retry), "\nretry: %lld", (long long)ev->delay_ms);
        text(net, out, retry);
    }
    if (variant == LONE && ev->kind == HB_EV_MESSAGE && ev->cursor.p) {
        text(net, out, "\nid: ");
        net->out(out, ev->cursor.p, ev->cursor.n);
        text(net, out, "\n\n");
        return;
    }
    text(net, out, "\n");
    net->out_slot(out, opening ? SLOT_OPENING : SLOT_EVENT);
    text(net, out, "\n");
}

/* ---- the module ---- */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    (void)host;
    return http_check_paths(&((const struct options *)options)->paths, error, error_size);
}

static const hb_transport transport = {
    .size = sizeof(hb_transport),
    .variants = VARIANTS,
    .one_way = true,
    .cursors = true,
    .claim = claim,
    .request = request,
    .encode = encode,
    .fill = conn_fill,
    .heartbeat = conn_heartbeat,
    .close = conn_close,
    .ended = conn_ended,
    .lone = LONE,
};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("sse", "1.0"),
    .description = "Server-sent events (text/event-stream), with ops by POST",
    .options = options_table,
    .options_size = sizeof(struct options),
    .transport = &transport,
    .check = check,
};
