#include "engine.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAST_WORDS_MS = 5000, /* for the poll that fetches them */
    LEAVING_MS = 150,     /* for a poll that the client's `1` overtook */
};

static const hb_str absent = {NULL, 0};

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

/* ---- life ---- */

void engine_hold(struct conn *c)
{
    c->holds++;
}

void engine_destroy(struct conn *c)
{
    alarm_unset(&c->worker->alarms, &c->alarm);
    sockets_finish(c);
    free(c->polling);
    free(c);
}

void engine_release(struct conn *c)
{
    if (--c->holds == 0 && c->over)
        engine_destroy(c);
}

struct conn *engine_find(const hb_ctx *ctx, hb_sid sid)
{
    hb_session *session = ctx->host->session_find(ctx, sid);
    void **slot = session ? ctx->host->session_slot(ctx, session) : NULL;
    struct conn *c = slot ? *slot : NULL;
    return c && c->sid == sid && !c->over && !c->closing ? c : NULL;
}

/* ---- time ---- */

static uint32_t now(const struct conn *c)
{
    return (uint32_t)(c->worker->ctx->host->now_ms() - c->worker->began_ms);
}

/* Deadlines lie within a day of now, so that the order holds when the count wraps. */
static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static void arm(struct conn *c)
{
    uint32_t first = 0, from = now(c);
    for (int i = 0; i < TIMER_COUNT; i++)
        if (c->at[i] && (!first || is_before(c->at[i], first)))
            first = c->at[i];
    if (!first) {
        alarm_unset(&c->worker->alarms, &c->alarm);
        return;
    }
    uint64_t due = c->worker->ctx->host->now_ms() + (is_before(first, from) ? 0 : first - from);
    if (!alarm_is_set_to(&c->alarm, due) && !alarm_set(&c->worker->alarms, &c->alarm, due))
        engine_fault(c); /* without a heartbeat it would stay for ever */
}

static void set_at(struct conn *c, enum engine_timer which, uint32_t at)
{
    c->at[which] = at ? at : 1; /* 0 says that it is not set */
    arm(c);
}

void engine_timer(struct conn *c, enum engine_timer which, int64_t after_ms)
{
    if (after_ms >= 0) {
        set_at(c, which, now(c) + (uint32_t)after_ms);
    } else {
        c->at[which] = 0;
        arm(c);
    }
}

/* ---- out ---- */

static bool on_websocket(const struct conn *c)
{
    return c->form & FORM_WEBSOCKET;
}

void engine_send_packet(struct conn *c, hb_str packet)
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
        engine_send_packet(c, bytes_view(&packet));
    bytes_finish(&packet);
}

void engine_send_bytes(struct conn *c, hb_str raw)
{
    struct bytes packet = BYTES_INIT;
    if (!c->session || c->over)
        return;
    if (on_websocket(c)) {
        link_frame(&packet, FRAME_OP_BINARY, raw);
    } else {
        bytes_char(&packet, 'b');
        bytes_base64(&packet, raw);
    }
    if (!packet.failed)
        net_of(c)->push(c->session, packet.p, packet.n);
    bytes_finish(&packet);
}

/* ---- the end ---- */

void engine_end(struct conn *c, hb_end why, bool at_once)
{
    if (c->session && !c->over)
        net_of(c)->end(c->session, why, at_once);
}

static void push_close(struct conn *c, unsigned code, hb_str reason)
{
    char bytes[FRAME_CLOSE_MAX];
    if (!c->link || c->link->state > LINK_OPEN || !c->session || c->over)
        return;
    if (c->link->state == LINK_OPEN)
        c->link->state = LINK_CLOSING;
    net_of(c)->push(c->session, bytes, frame_close(bytes, code, reason));
}

/* A close frame, or `1` for the poll that waits. */
static void hang_up(struct conn *c, unsigned code, hb_end why)
{
    engine_hold(c);
    push_close(c, code, absent);
    polling_abandon(c, HB_STR("1"));
    engine_end(c, why, false);
    engine_release(c);
}

void engine_hang_up(struct conn *c, unsigned code, hb_end why)
{
    if (why == HB_END_ERROR && c->session && !c->link && !polling_waits(c)) /* it polls in a moment */
        net_of(c)->close(c->session, CLOSE_NORMAL, absent, why);
    else
        hang_up(c, code, why);
}

void engine_fault(struct conn *c)
{
    if (!c->closing && !c->over)
        engine_hang_up(c, CLOSE_NONE, HB_END_ERROR);
}

void engine_violated(struct conn *c)
{
    if (!c->closing && !c->over)
        hang_up(c, CLOSE_NONE, HB_END_ERROR);
}

/* The client's `1`. The poll that it may have open ends by `6`; it may also be on its way still. */
static void client_closes(struct conn *c)
{
    push_close(c, CLOSE_NONE, absent);
    if (!c->link && !polling_waits(c)) {
        c->leaving = true;
        engine_timer(c, TIMER_END, LEAVING_MS);
        return;
    }
    polling_end(c, HB_STR("6"));
    engine_end(c, HB_END_CLIENT, true);
}

void engine_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
    struct conn *c = conn;
    bool polled = polling_waits(c);
    (void)ctx;
    engine_hold(c);
    sockets_ended(c); /* its client may be back before its last words are fetched */
    c->closing = true;
    if (!c->probing) /* else the client may poll no more, and hears of the end only there */
        carrier_end_probe(c);
    push_close(c, frame_close_code_valid((unsigned)close_code) ? (unsigned)close_code : CLOSE_NONE,
        reason);
    memset(c->at, 0, sizeof(c->at));
    hb_str waiting = polled ? polling_take(c, SIZE_MAX) : absent;
    /* Not both at once: the client deals with messages a moment later than with the end, keeps them until
     * it is connected again, and would show them twice. */
    polling_abandon(c, waiting.p ? waiting : HB_STR("1"));
    if (c->link)
        arm(c);
    else /* not within the host's own closing */
        engine_timer(c, TIMER_END, polled && !waiting.p ? 0 : LAST_WORDS_MS);
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
    alarm_unset(&c->worker->alarms, &c->alarm);
    polling_abandon(c, HB_STR("1"));
    if (c->link)
        link_abandon(c->link);
    c->link = NULL;
    carrier_end_probe(c);
    c->session = NULL;
    engine_release(c);
}

/* ---- heartbeat and other deadlines ---- */

static void send_ping(struct conn *c)
{
    c->waits_for_pong = true;
    c->extended = false;
    engine_send_packet(c, HB_STR("2"));
    set_at(c, TIMER_PING, c->at[TIMER_PING] + (uint32_t)c->worker->options->ping_timeout);
}

static void fire(struct conn *c, enum engine_timer which)
{
    switch (which) {
    case TIMER_PING:
        if (!c->waits_for_pong)
            send_ping(c);
        else if (!c->link && !polling_waits(c)) /* it is not there: no last words are kept for it */
            engine_end(c, HB_END_HEARTBEAT, true);
        else
            net_of(c)->close(c->session, 4009, HB_STR("ping timeout"), HB_END_HEARTBEAT);
        break;
    case TIMER_CONNECT:
        c->at[TIMER_CONNECT] = 0;
        engine_hang_up(c, CLOSE_NONE, HB_END_ERROR);
        break;
    case TIMER_ENTERED:
        c->at[TIMER_ENTERED] = 0;
        entered_tell(c);
        break;
    case TIMER_NOOP:
        c->at[TIMER_NOOP] = 0;
        polling_end(c, HB_STR("6"));
        break;
    case TIMER_UPGRADE:
        carrier_end_probe(c);
        break;
    default:
        c->at[TIMER_END] = 0;
        engine_end(c, HB_END_CLIENT, c->leaving);
        break;
    }
}

void engine_ring(struct alarm *a)
{
    struct conn *c = (struct conn *)((char *)a - offsetof(struct conn, alarm));
    uint32_t until = now(c);
    engine_hold(c);
    for (int i = 0; i < TIMER_COUNT && !c->over; i++)
        if (c->at[i] && !is_before(until, c->at[i]))
            fire(c, (enum engine_timer)i);
    if (!c->over)
        arm(c);
    engine_release(c);
}

/* A packet came: while a pong is waited for that buys time, once. */
static void alive(struct conn *c)
{
    if (!c->waits_for_pong || c->extended)
        return;
    c->extended = true;
    engine_timer(c, TIMER_PING, c->worker->options->ping_timeout);
}

static void on_pong(struct conn *c)
{
    c->waits_for_pong = false;
    engine_timer(c, TIMER_PING, c->worker->options->ping_interval);
}

void engine_entered(struct conn *c)
{
    engine_timer(c, TIMER_CONNECT, -1);
}

/* ---- packets ---- */

static void on_message(struct conn *c, hb_str text)
{
    if (c->echo)
        engine_send(c, text);
    else
        socket_text(c, text);
}

static void on_bytes(struct conn *c, hb_str raw)
{
    if (c->echo)
        engine_send_bytes(c, raw);
    else
        socket_binary(c, raw);
}

static void on_base64(struct conn *c, hb_str base64)
{
    struct bytes raw = BYTES_INIT;
    if (bytes_unbase64(&raw, base64))
        on_bytes(c, bytes_view(&raw));
    else
        engine_violated(c);
    bytes_finish(&raw);
}

void engine_bytes(struct conn *c, hb_str raw)
{
    alive(c);
    on_bytes(c, raw);
}

void engine_deal_with(struct conn *c, const struct engine_packet *p)
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
        on_message(c, p->data);
        break;
    case ENGINE_BASE64:
        on_base64(c, p->data);
        break;
    case ENGINE_PING: /* the server's to send */
    case ENGINE_FAULT:
        engine_violated(c);
        break;
    default:
        break;
    }
}

/* ---- too many ops under way ---- */

bool engine_is_full(const struct conn *c)
{
    return sockets_full(c);
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
    polling_read_on(c);
    if (!engine_is_full(c))
        carrier_pause(c, false);
    engine_release(c);
}

/* In a turn of its own: this one is within the op that came back. */
void engine_resume(struct conn *c)
{
    const hb_ctx *ctx = c->worker->ctx;
    if (c->resuming || (!c->paused && !(c->polling && c->polling->post)))
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
