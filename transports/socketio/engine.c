#include "engine.h"
#include "../common/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOOP_MS = 100,        /* the reference's: how often an upgrade ends the poll */
    LAST_WORDS_MS = 5000, /* for the poll that fetches them */
    LEAVING_MS = 150,     /* for a poll that the client's `1` overtook */
    TAKE_MAX = 1 << 20,   /* bytes of an answer, unless a single packet is longer */
};

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

static const hb_str absent = {NULL, 0};

/* ---- life ---- */

void engine_hold(struct conn *c)
{
    c->holds++;
}

void engine_release(struct conn *c)
{
    if (--c->holds > 0 || !c->over)
        return;
    const hb_ctx *ctx = c->worker->ctx;
    ctx->host->timer_cancel(ctx, &c->timer);
    sockets_finish(c);
    free(c);
}

struct conn *engine_find(const hb_ctx *ctx, hb_sid sid)
{
    hb_session *session = ctx->host->session_find(ctx, sid);
    void **slot = session ? ctx->host->session_slot(ctx, session) : NULL;
    struct conn *c = slot ? *slot : NULL;
    return c && c->sid == sid && !c->over && !c->closing ? c : NULL;
}

/* ---- time ---- */

static void on_timer(const hb_ctx *ctx, hb_timer *t);

static void arm(struct conn *c)
{
    const hb_host *host = c->worker->ctx->host;
    uint64_t first = 0, now = host->now_ms();
    for (int i = 0; i < TIMER_COUNT; i++)
        if (c->at[i] && (!first || c->at[i] < first))
            first = c->at[i];
    if (first == c->timer_at)
        return;
    c->timer_at = first;
    if (first)
        host->timer_set(c->worker->ctx, &c->timer, first > now ? first - now : 0);
    else
        host->timer_cancel(c->worker->ctx, &c->timer);
}

static void set_timer(struct conn *c, enum engine_timer which, int64_t after_ms)
{
    c->at[which] = c->worker->ctx->host->now_ms() + (uint64_t)after_ms;
    arm(c);
}

static void unset_timer(struct conn *c, enum engine_timer which)
{
    c->at[which] = 0;
    arm(c);
}

/* ---- out ---- */

static bool on_websocket(const struct conn *c)
{
    return c->form & FORM_WEBSOCKET;
}

/* One packet, whole: with its digit, or 'b' and base64. */
static void send_packet(struct conn *c, hb_str packet)
{
    if (!c->session || c->over)
        return;
    if (!on_websocket(c)) {
        net_of(c)->push(c->session, packet.p, packet.n);
        return;
    }
    struct bytes frame = BYTES_INIT;
    link_frame(&frame, FRAME_OP_TEXT, packet);
    if (!frame.failed)
        net_of(c)->push(c->session, frame.p, frame.n);
    bytes_finish(&frame);
}

void engine_send(struct conn *c, hb_str text)
{
    struct bytes packet = BYTES_INIT;
    bytes_char(&packet, '0' + ENGINE_MESSAGE);
    bytes_str(&packet, text);
    if (!packet.failed)
        send_packet(c, bytes_view(&packet));
    bytes_finish(&packet);
}

void engine_send_base64(struct conn *c, hb_str base64)
{
    struct bytes packet = BYTES_INIT, raw = BYTES_INIT;
    if (!c->session || c->over)
        return;
    if (on_websocket(c)) {
        bytes_unbase64(&raw, base64);
        link_frame(&packet, FRAME_OP_BINARY, bytes_view(&raw));
    } else {
        bytes_char(&packet, 'b');
        bytes_str(&packet, base64);
    }
    if (!packet.failed && !raw.failed)
        net_of(c)->push(c->session, packet.p, packet.n);
    bytes_finish(&packet);
    bytes_finish(&raw);
}

/* ---- answers ---- */

static const hb_header text_headers[] = {
    {{"content-type", 12}, {"text/plain; charset=UTF-8", 25}},
    {{"cache-control", 13}, {"no-store", 8}},
};

static void answer(const hb_net *net, hb_request *req, hb_str packets)
{
    net->respond(req, 200, text_headers, 2, packets);
}

static void answer_post(const hb_net *net, hb_request *req)
{
    static const hb_header html[] = {{{"content-type", 12}, {"text/html", 9}},
        {{"cache-control", 13}, {"no-store", 8}}};
    net->respond(req, 200, html, 2, HB_STR("ok"));
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

static void refuse_bad(struct conn *c, hb_request *req)
{
    engine_refuse(net_of(c), req, false, 400, 3, HB_STR("Bad request"));
}

static void end_poll(struct conn *c, hb_str packets)
{
    hb_request *poll = c->poll;
    c->poll = NULL;
    if (poll)
        answer(net_of(c), poll, packets);
}

/* What waits, and `last` behind it; absent when there is neither. Borrowed until the next time. */
static hb_str take(struct conn *c, size_t max_bytes, hb_str last)
{
    const hb_net *net = net_of(c);
    hb_out *out = c->worker->out;
    net->out_truncate(out, 0);
    size_t n = net->take(c->session, max_bytes, HB_STR(PAYLOAD_SEPARATOR), out);
    if (n > 0 && last.n > 0)
        net->out(out, PAYLOAD_SEPARATOR, 1);
    net->out(out, last.p, last.n);
    return n + last.n > 0 ? net->out_view(out) : absent;
}

/* A long answer's memory does not stay. */
static void trim_out(struct worker *w)
{
    if (w->net->out_size(w->out) <= SCRATCH_BYTES && !w->net->out_failed(w->out))
        return;
    w->net->out_destroy(w->out);
    w->out = w->net->out_create();
}

/* ---- the end ---- */

static void abandon_requests(struct conn *c, hb_str last)
{
    hb_request *post = c->post;
    c->post = NULL;
    end_poll(c, last);
    if (post)
        answer_post(net_of(c), post);
}

static void end_session(struct conn *c, hb_end why, bool at_once)
{
    if (c->session && !c->over)
        net_of(c)->end(c->session, why, at_once);
}

/* The last word is ours: a close frame, or `1` for the poll that waits. */
static void hang_up(struct conn *c, unsigned code, hb_end why)
{
    char bytes[FRAME_CLOSE_MAX];
    engine_hold(c);
    if (c->link && c->link->state == LINK_OPEN && c->session && !c->over) {
        c->link->state = LINK_CLOSING;
        net_of(c)->push(c->session, bytes, frame_close(bytes, code, absent));
    }
    abandon_requests(c, HB_STR("1"));
    end_session(c, why, false);
    engine_release(c);
}

void engine_fault(struct conn *c)
{
    if (!c->closing && !c->over)
        hang_up(c, CLOSE_NONE, HB_END_ERROR);
}

/* The client's `1`. The poll that it may have open ends by `6`. */
static void client_closes(struct conn *c)
{
    char bytes[FRAME_CLOSE_MAX];
    if (c->link && c->link->state == LINK_OPEN) {
        c->link->state = LINK_CLOSING;
        net_of(c)->push(c->session, bytes, frame_close(bytes, CLOSE_NONE, absent));
    }
    if (!c->link && !c->poll) {
        c->leaving = true;
        set_timer(c, TIMER_END, LEAVING_MS);
        return;
    }
    end_poll(c, HB_STR("6"));
    end_session(c, HB_END_CLIENT, true);
}

void engine_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    struct conn *c = conn;
    char bytes[FRAME_CLOSE_MAX];
    (void)ctx;
    engine_hold(c);
    sockets_ended(c); /* its client may be back before its last words are fetched */
    c->closing = true;
    if (c->probe)
        link_drop(c->probe);
    c->probe = NULL;
    if (c->link && c->link->state <= LINK_OPEN) {
        unsigned code = frame_close_code_valid((unsigned)close_code) ? (unsigned)close_code : CLOSE_NONE;
        if (c->link->state == LINK_OPEN)
            c->link->state = LINK_CLOSING;
        net_of(c)->push(c->session, bytes, frame_close(bytes, code, reason));
    }
    memset(c->at, 0, sizeof(c->at));
    if (c->post)
        abandon_requests(c, take(c, SIZE_MAX, HB_STR("1")));
    else if (c->poll)
        end_poll(c, take(c, SIZE_MAX, HB_STR("1")));
    else if (!c->link)
        c->at[TIMER_END] = ctx->host->now_ms() + LAST_WORDS_MS;
    if (!c->link && !c->at[TIMER_END])
        c->at[TIMER_END] = ctx->host->now_ms(); /* not within the host's own closing */
    arm(c);
    engine_release(c);
}

void engine_ended(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    engine_hold(c);
    sockets_ended(c);
    c->over = true;
    memset(c->at, 0, sizeof(c->at));
    arm(c);
    abandon_requests(c, HB_STR("1"));
    if (c->link)
        link_abandon(c->link);
    if (c->probe)
        link_drop(c->probe);
    c->link = c->probe = NULL;
    c->session = NULL;
    engine_release(c);
}

/* ---- heartbeat and other deadlines ---- */

static void send_ping(struct conn *c)
{
    c->waits_for_pong = true;
    c->extended = false;
    send_packet(c, HB_STR("2"));
    c->at[TIMER_PING] += (uint64_t)c->worker->options->ping_timeout;
}

static void on_ping_time(struct conn *c)
{
    if (!c->waits_for_pong)
        send_ping(c);
    else
        net_of(c)->close(c->session, 4009, HB_STR("ping timeout"), HB_END_HEARTBEAT);
}

static void end_probe(struct conn *c)
{
    struct link *probe = c->probe;
    c->probe = NULL;
    c->probing = false;
    c->at[TIMER_NOOP] = c->at[TIMER_UPGRADE] = 0;
    if (probe)
        link_drop(probe);
}

static void on_noop_time(struct conn *c)
{
    end_poll(c, HB_STR("6"));
    set_timer(c, TIMER_NOOP, NOOP_MS);
}

static void fire(struct conn *c, enum engine_timer which)
{
    switch (which) {
    case TIMER_PING:
        on_ping_time(c);
        break;
    case TIMER_CONNECT:
        c->at[TIMER_CONNECT] = 0;
        hang_up(c, CLOSE_NONE, HB_END_ERROR);
        break;
    case TIMER_NOOP:
        on_noop_time(c);
        break;
    case TIMER_UPGRADE:
        end_probe(c);
        break;
    default:
        c->at[TIMER_END] = 0;
        end_session(c, HB_END_CLIENT, c->leaving);
        break;
    }
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct conn *c = t->owner;
    uint64_t now = ctx->host->now_ms();
    c->timer_at = 0;
    engine_hold(c);
    for (int i = 0; i < TIMER_COUNT && !c->over; i++)
        if (c->at[i] && c->at[i] <= now)
            fire(c, (enum engine_timer)i);
    arm(c);
    engine_release(c);
}

/* A packet came: while a pong is waited for that buys time, once. */
static void alive(struct conn *c)
{
    if (!c->waits_for_pong || c->extended)
        return;
    c->extended = true;
    set_timer(c, TIMER_PING, c->worker->options->ping_timeout);
}

static void on_pong(struct conn *c)
{
    c->waits_for_pong = false;
    set_timer(c, TIMER_PING, c->worker->options->ping_interval);
}

void engine_entered(struct conn *c)
{
    unset_timer(c, TIMER_CONNECT);
}

/* ---- packets ---- */

static void echo(struct conn *c, const struct engine_packet *p)
{
    if (p->type == ENGINE_MESSAGE)
        engine_send(c, p->data);
    else
        engine_send_base64(c, p->data);
}

/* Bytes come as base64 here, whatever carried them. */
static void deal_with(struct conn *c, const struct engine_packet *p)
{
    if (p->type != ENGINE_PONG)
        alive(c);
    switch (p->type) {
    case ENGINE_CLOSE:
        client_closes(c);
        break;
    case ENGINE_PONG:
        on_pong(c);
        break;
    case ENGINE_MESSAGE:
        if (c->echo)
            echo(c, p);
        else
            socket_text(c, p->data);
        break;
    case ENGINE_BINARY:
        if (c->echo)
            echo(c, p);
        else
            socket_binary(c, p->data);
        break;
    case ENGINE_PING: /* the server's to send */
    case ENGINE_FAULT:
        engine_fault(c);
        break;
    default:
        break;
    }
}

bool engine_is_full(const struct conn *c)
{
    return sockets_full(c);
}

/* ---- over a WebSocket ---- */

void engine_adopt(struct conn *c, struct link *link)
{
    if (link->carries)
        c->link = link;
    else
        c->probe = link;
}

static void send_open(struct conn *c);

void engine_linked(struct conn *c, struct link *link)
{
    if (!link->carries)
        return;
    engine_hold(c);
    net_of(c)->attach(c->session, link->stream);
    if (c->closing)
        link->state = LINK_CLOSING; /* its close frame is queued already */
    else
        send_open(c);
    engine_release(c);
}

void engine_lost(struct conn *c, struct link *link)
{
    engine_hold(c);
    link->conn = NULL;
    if (link == c->probe) {
        c->probe = NULL;
        end_probe(c);
        arm(c);
    } else if (link == c->link) {
        c->link = NULL;
        end_session(c, HB_END_CLIENT, false);
    }
    engine_release(c);
}

void engine_hung_up(struct conn *c, struct link *link, unsigned code, hb_end why)
{
    engine_hold(c);
    if (link == c->probe) {
        end_probe(c);
        arm(c);
    } else {
        hang_up(c, code, why);
    }
    engine_release(c);
}

void engine_pong(struct conn *c, struct link *link, hb_str payload)
{
    struct bytes frame = BYTES_INIT;
    link_frame(&frame, FRAME_OP_PONG, payload);
    if (!frame.failed && link == c->link)
        net_of(c)->push(c->session, frame.p, frame.n);
    else if (!frame.failed)
        net_of(c)->stream_write(link->stream, frame.p, frame.n);
    bytes_finish(&frame);
}

static void probe_text(struct conn *c, struct link *link, hb_str text);

void engine_text(struct conn *c, struct link *link, hb_str text)
{
    struct engine_packet p = payload_packet(text);
    engine_hold(c);
    if (link == c->probe)
        probe_text(c, link, text);
    else
        deal_with(c, &p);
    engine_release(c);
}

void engine_binary(struct conn *c, struct link *link, hb_str bytes)
{
    struct bytes base64 = BYTES_INIT;
    engine_hold(c);
    if (link == c->probe) {
        end_probe(c);
        arm(c);
    } else {
        bytes_base64(&base64, bytes);
        struct engine_packet p = {ENGINE_BINARY, bytes_view(&base64)};
        if (base64.failed)
            engine_fault(c);
        else
            deal_with(c, &p);
        bytes_finish(&base64);
    }
    engine_release(c);
}

/* ---- from polling to a WebSocket ---- */

/* Packets that were to be polled, as frames. */
static void to_frames(hb_str payload, struct bytes *frames)
{
    struct engine_packet p;
    hb_str rest = payload;
    for (hb_str at = rest; payload_next(&rest, &p); at = rest) {
        struct bytes raw = BYTES_INIT;
        size_t n = rest.p ? at.n - rest.n - 1 : at.n;
        if (p.type == ENGINE_BINARY && bytes_unbase64(&raw, p.data))
            link_frame(frames, FRAME_OP_BINARY, bytes_view(&raw));
        else
            link_frame(frames, FRAME_OP_TEXT, (hb_str){at.p, n});
        frames->failed |= raw.failed;
        bytes_finish(&raw);
    }
}

static void switch_over(struct conn *c)
{
    const hb_net *net = net_of(c);
    struct bytes frames = BYTES_INIT;
    hb_str waiting = take(c, SIZE_MAX, absent);
    if (waiting.p)
        to_frames(waiting, &frames);
    bool lost = frames.failed || net->out_failed(c->worker->out);
    trim_out(c->worker);
    c->link = c->probe;
    c->probe = NULL;
    c->link->carries = true;
    c->probing = false;
    c->at[TIMER_NOOP] = c->at[TIMER_UPGRADE] = 0;
    end_poll(c, HB_STR("6"));
    net->attach(c->session, c->link->stream);
    c->form |= FORM_WEBSOCKET;
    net->variant(c->session, c->form);
    if (frames.n > 0)
        net->push(c->session, frames.p, frames.n);
    bytes_finish(&frames);
    if (lost) /* packets are missing: rather none than a gap */
        engine_fault(c);
    arm(c);
}

static void probe_text(struct conn *c, struct link *link, hb_str text)
{
    if (str_same(text, HB_STR("2probe"))) {
        c->probing = true;
        link_write(link, HB_STR("3probe"));
        set_timer(c, TIMER_NOOP, NOOP_MS);
        end_poll(c, HB_STR("6")); /* at once, so that the client can go on */
    } else if (str_same(text, HB_STR("5")) && c->probing) {
        switch_over(c);
    } else {
        end_probe(c);
        arm(c);
    }
}

void engine_upgrade(struct conn *c, hb_request *req)
{
    bool wanted = !on_websocket(c) && !c->probe && !c->closing && !c->leaving;
    if (!link_create(c->worker, req, wanted ? c : NULL, false))
        net_of(c)->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
    else if (wanted)
        set_timer(c, TIMER_UPGRADE, c->worker->options->upgrade_timeout);
}

/* ---- polling ---- */

static void on_poll_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->poll = NULL;
    end_session(c, HB_END_CLIENT, false);
}

void engine_ready(const hb_ctx *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (!c->poll || on_websocket(c))
        return;
    hb_str waiting = take(c, TAKE_MAX, absent);
    if (waiting.p)
        end_poll(c, waiting);
    trim_out(c->worker);
}

static void park(struct conn *c, hb_request *req)
{
    c->poll = req;
    req->owner = c;
    req->gone = on_poll_gone;
    net_of(c)->park(req, text_headers, 2);
}

/* The second of two polls at once: what the first would have got may be lost. */
static void overlap(struct conn *c, hb_request *req)
{
    static const hb_header html[] = {{{"content-type", 12}, {"text/html", 9}}};
    net_of(c)->respond(req, 400, html, 1, HB_STR(""));
    engine_fault(c);
}

void engine_poll(struct conn *c, hb_request *req)
{
    engine_hold(c);
    if (on_websocket(c)) {
        refuse_bad(c, req);
    } else if (c->leaving) {
        answer(net_of(c), req, HB_STR("6"));
        end_session(c, HB_END_CLIENT, true);
    } else if (c->poll) {
        overlap(c, req);
    } else {
        hb_str waiting = take(c, c->closing ? SIZE_MAX : TAKE_MAX, c->closing ? HB_STR("1") : absent);
        if (waiting.p)
            answer(net_of(c), req, waiting);
        else
            park(c, req);
        trim_out(c->worker);
        if (c->closing)
            end_session(c, HB_END_CLIENT, false);
    }
    engine_release(c);
}

static void on_post_gone(hb_request *req)
{
    struct conn *c = req->owner;
    c->post = NULL;
    end_session(c, HB_END_CLIENT, false);
}

/* Deals with what is left of the POST, as far as it may. */
static void read_post(struct conn *c)
{
    struct engine_packet p;
    while (c->post && !c->over && !c->closing && !c->leaving && !engine_is_full(c) && payload_next(&c->post_rest, &p))
        deal_with(c, &p);
    if (!c->post || (c->post_rest.p && !c->over && !c->closing && !c->leaving))
        return;
    hb_request *req = c->post;
    c->post = NULL;
    answer_post(net_of(c), req);
}

/* Text from other carriers than WebSocket frames was not looked at by anybody. */
static bool is_utf8(hb_str text)
{
    return utf8_check(UTF8_START, text.p, text.n) == UTF8_START;
}

static bool is_payload(hb_str body)
{
    struct engine_packet p;
    hb_str rest = body;
    while (payload_next(&rest, &p))
        if (p.type == ENGINE_FAULT)
            return false;
    return is_utf8(body);
}

void engine_post(struct conn *c, hb_request *req)
{
    static const hb_str octets = {"application/octet-stream", 24};
    hb_str type = net_of(c)->header(req, HB_STR("content-type"));
    hb_str body = req->body.p ? req->body : HB_STR("");
    engine_hold(c);
    if (on_websocket(c) || c->closing || c->leaving) {
        refuse_bad(c, req);
    } else if (c->post || str_same(type, octets) || !is_payload(body)) {
        refuse_bad(c, req);
        engine_fault(c);
    } else {
        c->post = req;
        c->post_rest = body;
        req->owner = c;
        req->gone = on_post_gone;
        read_post(c);
    }
    engine_release(c);
}

/* ---- too many ops under way ---- */

void engine_pause(struct conn *c)
{
    if (c->paused || !c->link || !c->link->stream)
        return;
    c->paused = true;
    net_of(c)->pause(c->link->stream, true);
}

static void on_resume(const hb_ctx *ctx, void *arg)
{
    hb_sid *sid = arg;
    struct conn *c = engine_find(ctx, *sid);
    free(sid);
    if (!c)
        return;
    engine_hold(c);
    c->resuming = false;
    read_post(c);
    if (c->paused && c->link && c->link->stream && !engine_is_full(c)) {
        c->paused = false;
        net_of(c)->pause(c->link->stream, false);
    }
    engine_release(c);
}

/* In a turn of its own: this one is within the op that came back. */
void engine_resume(struct conn *c)
{
    const hb_ctx *ctx = c->worker->ctx;
    if (c->resuming || (!c->paused && !c->post))
        return;
    hb_sid *sid = malloc(sizeof(*sid));
    if (!sid) {
        engine_fault(c);
        return;
    }
    *sid = c->sid;
    c->resuming = true;
    ctx->host->post(ctx, ctx->worker, on_resume, sid);
}

/* ---- the handshake ---- */

static void put_open(struct conn *c, struct bytes *out)
{
    const struct options *o = c->worker->options;
    hb_str ticket = net_of(c)->ticket(c->session);
    BYTES_LIT(out, "0{\"sid\":\"");
    bytes_str(out, ticket);
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
    uint64_t now = c->worker->ctx->host->now_ms();
    c->at[TIMER_PING] = now + (uint64_t)o->ping_interval;
    if (!c->echo)
        c->at[TIMER_CONNECT] = now + (uint64_t)o->connect_timeout;
    arm(c);
}

static void send_open(struct conn *c)
{
    struct bytes packet = BYTES_INIT;
    put_open(c, &packet);
    start_timers(c);
    send_packet(c, bytes_view(&packet));
    bytes_finish(&packet);
}

static void answer_open(struct conn *c, hb_request *req)
{
    struct bytes packet = BYTES_INIT;
    put_open(c, &packet);
    start_timers(c);
    answer(net_of(c), req, bytes_view(&packet));
    bytes_finish(&packet);
}

static void refuse_open(struct conn *c, hb_request *req, hb_code code, hb_str message,
    int64_t retry_after_ms)
{
    const hb_net *net = net_of(c);
    bool websocket = on_websocket(c);
    free(c);
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
    if (!on_websocket(c)) {
        answer_open(c, req);
    } else if (!link_create(c->worker, req, c, true)) {
        net_of(c)->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        end_session(c, HB_END_ERROR, true);
    }
}

void engine_open(struct worker *w, hb_request *req, const hb_claim *claim, bool websocket, bool echo_)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (!c) {
        w->net->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
        return;
    }
    c->worker = w;
    c->echo = echo_;
    c->form = (uint8_t)((websocket ? FORM_WEBSOCKET : 0) | (w->options->recovery > 0 && !echo_ ? FORM_SLOT : FORM_PLAIN));
    c->timer.fire = on_timer;
    c->timer.owner = c;
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
