/* Engine.IO over requests: GETs that wait for packets, POSTs that bring some. */
#include "engine.h"
#include "../common/utf8.h"

enum { TAKE_MAX = 1 << 20 }; /* bytes of an answer, unless a single packet is longer */

static const hb_str absent = {NULL, 0};

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

/* ---- answers ---- */

static const hb_header text_headers[] = {
    {{"content-type", 12}, {"text/plain; charset=UTF-8", 25}},
    {{"cache-control", 13}, {"no-store", 8}},
};
static const hb_header html_headers[] = {
    {{"content-type", 12}, {"text/html", 9}},
    {{"cache-control", 13}, {"no-store", 8}},
};

void polling_answer(const hb_net *net, hb_request *req, hb_str packets)
{
    net->respond(req, 200, text_headers, 2, packets);
}

static void refuse(struct conn *c, hb_request *req)
{
    engine_refuse(net_of(c), req, false, 400, 3, HB_STR("Bad request"));
}

bool polling_waits(const struct conn *c)
{
    return c->polling && c->polling->poll;
}

void polling_end(struct conn *c, hb_str packets)
{
    hb_request *poll = c->polling ? c->polling->poll : NULL;
    if (!poll)
        return;
    c->polling->poll = NULL;
    polling_answer(net_of(c), poll, packets);
}

/* No client sends the upgrade's `5` while it polls: this poll came after it, and overtook it on its
 * way through another worker. */
void polling_refuse(struct conn *c)
{
    hb_request *poll = c->polling->poll;
    if (!poll)
        return;
    c->polling->poll = NULL;
    refuse(c, poll);
}

static void end_post(struct conn *c)
{
    hb_request *post = c->polling ? c->polling->post : NULL;
    if (!post)
        return;
    c->polling->post = NULL;
    net_of(c)->respond(post, 200, html_headers, 2, HB_STR("ok"));
}

void polling_abandon(struct conn *c, hb_str packets)
{
    polling_end(c, packets);
    end_post(c);
}

hb_str polling_take(struct conn *c, size_t max_bytes)
{
    const hb_net *net = net_of(c);
    hb_out *out = c->worker->out;
    net->out_truncate(out, 0);
    size_t n = net->take(c->session, max_bytes, HB_STR(PAYLOAD_SEPARATOR), out);
    return n > 0 ? net->out_view(out) : absent;
}

void polling_trim(struct worker *w)
{
    if (w->net->out_size(w->out) <= SCRATCH_BYTES && !w->net->out_failed(w->out))
        return;
    w->net->out_destroy(w->out);
    w->out = w->net->out_create();
}

/* ---- GET ---- */

static void on_poll_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->polling->poll = NULL;
    engine_end(c, HB_END_CLIENT, false);
}

void polling_ready(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (!polling_waits(c) || c->form & FORM_WEBSOCKET)
        return;
    hb_str waiting = polling_take(c, TAKE_MAX);
    if (waiting.p)
        polling_end(c, waiting);
    polling_trim(c->worker);
}

static void park(struct conn *c, hb_request *req)
{
    c->polling->poll = req;
    req->owner = c;
    req->gone = on_poll_gone;
    if (c->probing) /* it waits for a moment, and parked it could not be refused any more */
        engine_timer(c, TIMER_NOOP, ENGINE_NOOP_MS);
    else
        net_of(c)->park(req, text_headers, 2);
}

static void poll(struct conn *c, hb_request *req)
{
    hb_str waiting = polling_take(c, TAKE_MAX);
    if (waiting.p) {
        polling_answer(net_of(c), req, waiting);
        polling_trim(c->worker);
    } else if (c->closing) {
        polling_answer(net_of(c), req, HB_STR("1"));
        engine_end(c, HB_END_CLIENT, false);
    } else {
        park(c, req);
    }
}

void polling_get(struct conn *c, hb_request *req)
{
    engine_hold(c);
    if (c->form & FORM_WEBSOCKET) {
        refuse(c, req);
    } else if (c->leaving) {
        polling_answer(net_of(c), req, HB_STR("6"));
        engine_end(c, HB_END_CLIENT, true);
    } else if (polling_waits(c)) { /* what the first would have got may be lost */
        net_of(c)->respond(req, 400, html_headers, 2, HB_STR(""));
        engine_violated(c);
    } else {
        poll(c, req);
    }
    engine_release(c);
}

/* ---- POST ---- */

static void on_post_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->polling->post = NULL;
    engine_end(c, HB_END_CLIENT, false);
}

static bool is_done(const struct conn *c)
{
    return c->over || c->closing || c->leaving;
}

/* Deals with what is left of the POST, as far as it may. */
void polling_read_on(struct conn *c)
{
    struct engine_packet p;
    while (c->polling && c->polling->post && !is_done(c) && !engine_is_full(c) &&
        payload_next(&c->polling->post_rest, &p))
        engine_deal_with(c, &p);
    if (c->polling && (!c->polling->post_rest.p || is_done(c)))
        end_post(c);
}

/* Its packets are packets, and its text, which no WebSocket frame brought, is UTF-8. */
static bool is_payload(hb_str body)
{
    struct engine_packet p;
    hb_str rest = body;
    while (payload_next(&rest, &p))
        if (p.type == ENGINE_FAULT)
            return false;
    return utf8_check(UTF8_START, body.p, body.n) == UTF8_START;
}

void polling_post(struct conn *c, hb_request *req)
{
    static const hb_str octets = {"application/octet-stream", 24};
    hb_str type = net_of(c)->header(req, HB_STR("content-type"));
    hb_str body = req->body.p ? req->body : HB_STR("");
    engine_hold(c);
    if (c->form & FORM_WEBSOCKET || is_done(c)) {
        refuse(c, req);
    } else if (c->polling->post || str_same(type, octets) || !is_payload(body)) {
        refuse(c, req);
        engine_violated(c);
    } else {
        c->polling->post = req;
        c->polling->post_rest = body;
        req->owner = c;
        req->gone = on_post_gone;
        polling_read_on(c);
    }
    engine_release(c);
}
