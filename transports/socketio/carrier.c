/* Engine.IO over a WebSocket, from the first or after polling. */
#include "engine.h"
#include <stdlib.h>

static const hb_net *net_of(const struct conn *c)
{
    return c->worker->net;
}

static struct link *probe_of(const struct conn *c)
{
    return c->polling ? c->polling->probe : NULL;
}

void carrier_adopt(struct conn *c, struct link *link)
{
    if (link->carries)
        c->link = link;
    else
        c->polling->probe = link;
}

void carrier_linked(struct conn *c, struct link *link)
{
    if (!link->carries)
        return;
    engine_hold(c);
    net_of(c)->attach(c->session, link->stream);
    if (c->closing)
        link->state = LINK_CLOSING; /* its close frame is queued already */
    else
        engine_send_open(c);
    engine_release(c);
}

void carrier_end_probe(struct conn *c)
{
    struct link *probe = probe_of(c);
    if (!probe)
        return;
    c->polling->probe = NULL;
    c->probing = false;
    engine_timer(c, TIMER_UPGRADE, -1);
    link_drop(probe);
}

void carrier_lost(struct conn *c, struct link *link)
{
    engine_hold(c);
    if (link == probe_of(c)) {
        carrier_end_probe(c);
    } else if (link == c->link) {
        link->conn = NULL;
        c->link = NULL;
        engine_end(c, HB_END_CLIENT, false);
    }
    engine_release(c);
}

void carrier_hung_up(struct conn *c, struct link *link, unsigned code, hb_end why)
{
    engine_hold(c);
    if (link == probe_of(c))
        carrier_end_probe(c);
    else
        engine_hang_up(c, code, why);
    engine_release(c);
}

void carrier_pong(struct conn *c, struct link *link, hb_str payload)
{
    struct bytes frame = BYTES_INIT;
    link_frame(&frame, FRAME_OP_PONG, payload);
    if (!frame.failed && link == c->link)
        net_of(c)->push(c->session, frame.p, frame.n);
    else if (!frame.failed)
        net_of(c)->stream_write(link->stream, frame.p, frame.n);
    bytes_finish(&frame);
}

void carrier_binary(struct conn *c, struct link *link, hb_str bytes)
{
    engine_hold(c);
    if (link == probe_of(c))
        carrier_end_probe(c);
    else
        engine_bytes(c, bytes);
    engine_release(c);
}

void carrier_pause(struct conn *c, bool paused)
{
    if (c->paused == paused || !c->link || !c->link->stream)
        return;
    c->paused = paused;
    net_of(c)->pause(c->link->stream, paused);
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
        if (p.type == ENGINE_BASE64 && bytes_unbase64(&raw, p.data))
            link_frame(frames, FRAME_OP_BINARY, bytes_view(&raw));
        else
            link_frame(frames, FRAME_OP_TEXT, (hb_str){at.p, n});
        frames->failed |= raw.failed;
        bytes_finish(&raw);
    }
}

static void attach(struct conn *c)
{
    c->link = c->polling->probe;
    c->link->carries = true;
    c->polling->probe = NULL;
    c->probing = false;
    engine_timer(c, TIMER_NOOP, -1);
    engine_timer(c, TIMER_UPGRADE, -1);
    net_of(c)->attach(c->session, c->link->stream);
    c->form |= FORM_WEBSOCKET;
    net_of(c)->variant(c->session, c->form);
}

static void switch_over(struct conn *c)
{
    struct bytes frames = BYTES_INIT;
    hb_str waiting = polling_take(c, SIZE_MAX);
    if (waiting.p)
        to_frames(waiting, &frames);
    bool lost = frames.failed || net_of(c)->out_failed(c->worker->out);
    polling_trim(c->worker);
    if (c->probing)
        polling_refuse(c);
    else
        polling_end(c, HB_STR("6"));
    attach(c);
    if (!c->polling->post) {
        free(c->polling);
        c->polling = NULL;
    }
    if (frames.n > 0)
        net_of(c)->push(c->session, frames.p, frames.n);
    bytes_finish(&frames);
    if (lost) /* packets are missing: rather none than a gap */
        engine_fault(c);
}

/* The session was closed after the client's last poll: what waits for it goes out beside the session. */
static void last_words(struct conn *c)
{
    struct bytes frames = BYTES_INIT;
    hb_str waiting = polling_take(c, SIZE_MAX);
    if (waiting.p)
        to_frames(waiting, &frames);
    if (frames.n > 0 && !frames.failed && !net_of(c)->out_failed(c->worker->out))
        net_of(c)->stream_write(probe_of(c)->stream, frames.p, frames.n);
    bytes_finish(&frames);
    polling_trim(c->worker);
    carrier_end_probe(c);
    engine_end(c, HB_END_CLIENT, false);
}

static void probe_text(struct conn *c, struct link *link, hb_str text)
{
    if (str_same(text, HB_STR("2probe"))) {
        c->probing = true;
        link_write(link, HB_STR("3probe"));
        polling_end(c, HB_STR("6")); /* at once, so that the client can go on */
    } else if (payload_packet(text).type == ENGINE_UPGRADE) {
        if (c->closing)
            last_words(c);
        else
            switch_over(c);
    } else {
        carrier_end_probe(c);
    }
}

void carrier_text(struct conn *c, struct link *link, hb_str text)
{
    const struct engine_packet p = payload_packet(text);
    engine_hold(c);
    if (link == probe_of(c))
        probe_text(c, link, text);
    else
        engine_deal_with(c, &p);
    engine_release(c);
}

/* A second WebSocket beside another is accepted and closed. */
void carrier_upgrade(struct conn *c, hb_request *req)
{
    bool wanted = !(c->form & FORM_WEBSOCKET) && !probe_of(c) && !c->closing && !c->leaving;
    if (!link_create(c->worker, req, wanted ? c : NULL, false))
        net_of(c)->respond_error(req, HB_UNAVAILABLE, HB_STR("Out of memory."), 1000);
    else if (wanted && probe_of(c))
        engine_timer(c, TIMER_UPGRADE, c->worker->options->upgrade_timeout);
}
