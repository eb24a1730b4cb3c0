/* The handshake of Engine.IO, and refusals. */
#include "engine.h"
#include <stdlib.h>

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

void engine_refuse(const hb_net *net, hb_request *req, bool websocket, int status, int code,
    hb_str message)
{
    static const hb_str json = {"application/json", 16}, html = {"text/html", 9};
    const hb_header headers[] = {{HB_STR("content-type"), websocket ? html : json},
        {HB_STR("cache-control"), HB_STR("no-store")}};
    struct bytes body = BYTES_INIT;
    if (websocket) {
        net->respond(req, 400, headers, 2, message);
        return;
    }
    BYTES_LIT(&body, "{\"code\":");
    bytes_u64(&body, (uint64_t)code);
    BYTES_LIT(&body, ",\"message\":");
    bytes_json_str(&body, message);
    bytes_char(&body, '}');
    net->respond(req, status, headers, 2, bytes_view(&body));
    bytes_finish(&body);
}

static void put_open(struct conn *c, struct bytes *out)
{
    const struct options *o = c->worker->options;
    BYTES_LIT(out, "0{\"sid\":\"");
    bytes_str(out, net_of(c)->ticket(c->session));
    bytes_str(out, c->link ? HB_STR("\",\"upgrades\":[],\"pingInterval\":") :
        HB_STR("\",\"upgrades\":[\"websocket\"],\"pingInterval\":"));
    bytes_u64(out, (uint64_t)o->ping_interval);
    BYTES_LIT(out, ",\"pingTimeout\":");
    bytes_u64(out, (uint64_t)o->ping_timeout);
    BYTES_LIT(out, ",\"maxPayload\":");
    bytes_u64(out, (uint64_t)o->max_payload);
    bytes_char(out, '}');
}

static void start_timers(struct conn *c)
{
    const struct options *o = c->worker->options;
    engine_timer(c, TIMER_PING, o->ping_interval);
    if (!c->echo)
        engine_timer(c, TIMER_CONNECT, o->connect_timeout);
}

void engine_send_open(struct conn *c)
{
    struct bytes packet = BYTES_INIT;
    put_open(c, &packet);
    start_timers(c);
    engine_send_packet(c, bytes_view(&packet));
    bytes_finish(&packet);
}

static void answer_open(struct conn *c, hb_request *req)
{
    struct bytes packet = BYTES_INIT;
    put_open(c, &packet);
    start_timers(c);
    polling_answer(net_of(c), req, bytes_view(&packet));
    bytes_finish(&packet);
}

static void refuse_open(struct conn *c, hb_request *req, hb_code code, hb_str message,
    int64_t retry_after_ms)
{
    const hb_net *net = net_of(c);
    bool websocket = c->form & FORM_WEBSOCKET;
    engine_destroy(c);
    if (code == HB_UNAUTHORIZED || code == HB_FORBIDDEN || code == HB_TOKEN_EXPIRED)
        engine_refuse(net, req, websocket, 403, 4, message);
    else
        net->respond_error(req, code, message, retry_after_ms);
}

static void opened(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session, hb_code code,
    hb_str message, int64_t retry_after_ms)
{
    struct conn *c = conn;
    hb_session_info info = {.size = sizeof(info)};
    if (!session) {
        refuse_open(c, req, code, message, retry_after_ms);
        return;
    }
    c->session = session;
    ctx->host->session_info(session, &info);
    c->sid = info.sid;
    *ctx->host->session_slot(ctx, session) = c;
    c->sockets.waits_for_token = code == HB_UNAUTHORIZED;
    if (!(c->form & FORM_WEBSOCKET)) {
        answer_open(c, req);
    } else if (!link_create(c->worker, req, c, true)) {
        net_of(c)->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        engine_end(c, HB_END_ERROR, true);
    }
}

static struct conn *create(struct worker *w, bool websocket, bool echo)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->polling = websocket ? NULL : calloc(1, sizeof(*c->polling));
    if (!c->polling && !websocket) {
        free(c);
        return NULL;
    }
    c->worker = w;
    c->echo = echo;
    c->form = (uint8_t)((websocket ? FORM_WEBSOCKET : 0) |
        (w->options->recovery > 0 && !echo ? FORM_SLOT : FORM_PLAIN));
    return c;
}

void engine_open(struct worker *w, hb_request *req, const hb_claim *claim, bool websocket, bool echo)
{
    struct conn *c = create(w, websocket, echo);
    if (!c) {
        w->net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        return;
    }
    const hb_open how = {
        .size = sizeof(how),
        .conn = c,
        .variant = c->form,
        .credential = claim->credential,
        .auth_later = true,
        .opened = opened,
        .auth_again = true,
        .auth_time_ms = w->options->connect_timeout + 1000,
    };
    w->net->open(w->ctx, req, &how);
}
