/*
 * Engine.IO 4: one connection, over polling requests, a WebSocket, or first one and then the other.
 * It carries a hubbub session from the handshake on; above it are namespaces (socket.h), or an echo.
 *
 *     open.c     the handshake
 *     engine.c   what all connections have: packets, heartbeat, the end
 *     polling.c  GETs that wait, POSTs
 *     carrier.c  WebSockets, and the way from polling to one
 *
 * Packets are dealt with in order, and no further ones are read while too many ops are under way: a
 * WebSocket is paused then, a POST is answered later. One worker's thread.
 */
#ifndef SOCKETIO_ENGINE_H
#define SOCKETIO_ENGINE_H

#include "alarm.h"
#include "link.h"
#include "payload.h"
#include "socket.h"
#include "wire.h"

enum engine_timer {
    TIMER_PING,    /* send a ping, or none of its answer came */
    TIMER_CONNECT, /* no namespace was entered in time */
    TIMER_ENTERED, /* the modules are told of namespaces */
    TIMER_NOOP,    /* end the poll that an upgrade waits for */
    TIMER_UPGRADE, /* the probe took too long */
    TIMER_END,     /* nobody fetches the last words */
    TIMER_COUNT
};

enum { ENGINE_NOOP_MS = 100 }; /* how long a poll beside a probe may wait */

/* Of a connection that is polled. */
struct polling {
    hb_request *poll, *post; /* a GET that waits, a POST that is not dealt with to its end */
    hb_str post_rest;
    struct link *probe;      /* a WebSocket that may take over */
};

struct conn {
    struct worker *worker;
    hb_session *session;      /* NULL until it is opened, and once it ended */
    hb_sid sid;
    struct link *link;        /* that carries it; NULL: it is polled */
    struct polling *polling;  /* NULL: it is not, any more */
    struct sockets sockets;
    struct alarm alarm;
    uint32_t at[TIMER_COUNT]; /* when, in ms since the worker began; 0: not set */
    uint16_t holds;           /* callbacks that run */
    uint8_t form;
    bool echo : 1;
    bool waits_for_pong : 1, extended : 1;
    bool probing : 1;         /* 2probe came: polls are ended */
    bool closing : 1;         /* the host closed the session */
    bool leaving : 1;         /* the client closed it, and may have a poll on its way */
    bool over : 1;            /* its session ended */
    bool paused : 1, resuming : 1;
};

/* ---- open.c ---- */

void engine_open(struct worker *w, hb_request *req, const hb_claim *claim, bool websocket, bool echo);
void engine_send_open(struct conn *c);
/* An error as Engine.IO has it: JSON, or plain text where a WebSocket was asked for. */
void engine_refuse(const hb_net *net, hb_request *req, bool websocket, int status, int code,
    hb_str message);

/* ---- engine.c ---- */

/* Between these it is not freed, whatever ends it. */
void engine_hold(struct conn *c);
void engine_release(struct conn *c);
void engine_destroy(struct conn *c); /* one that was not opened */
struct conn *engine_find(const hb_ctx *ctx, hb_sid sid); /* NULL: gone */
void engine_ring(struct alarm *a);
void engine_timer(struct conn *c, enum engine_timer which, int64_t after_ms); /* negative: unset */

void engine_send(struct conn *c, hb_str text);          /* a packet of Socket.IO */
void engine_send_bytes(struct conn *c, hb_str raw);
void engine_send_packet(struct conn *c, hb_str packet); /* with its digit */

void engine_deal_with(struct conn *c, const struct engine_packet *p);
void engine_bytes(struct conn *c, hb_str raw); /* a message of bytes, as a WebSocket brings it */
bool engine_is_full(const struct conn *c);
void engine_resume(struct conn *c);  /* ops came back: read on */
void engine_entered(struct conn *c); /* a namespace: no connect time-out any more */

/* The last word is ours: who does not poll just now gets what waits, and that, by its next poll. */
void engine_hang_up(struct conn *c, unsigned code, hb_end why);
void engine_fault(struct conn *c);    /* a violation of Socket.IO, or no memory: the same */
void engine_violated(struct conn *c); /* of Engine.IO: at once */
void engine_end(struct conn *c, hb_end why, bool at_once);

/* The transport's callbacks. */
void engine_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
void engine_ended(const hb_ctx *ctx, void *conn);

/* ---- polling.c ---- */

void polling_get(struct conn *c, hb_request *req);
void polling_post(struct conn *c, hb_request *req);
void polling_ready(const hb_ctx *ctx, void *conn);
void polling_answer(const hb_net *net, hb_request *req, hb_str packets);
bool polling_waits(const struct conn *c); /* a GET is there */
void polling_end(struct conn *c, hb_str packets); /* answer it, if there is one */
void polling_refuse(struct conn *c); /* the same, by 400: there are no polls any more */
/* Answer all that is open. */
void polling_abandon(struct conn *c, hb_str packets);
/* What waits for the client; absent when there is nothing. Borrowed until the next time; polling_trim
 * gives long memory back. */
hb_str polling_take(struct conn *c, size_t max_bytes);
void polling_trim(struct worker *w);
void polling_read_on(struct conn *c);

/* ---- carrier.c ---- */

void carrier_upgrade(struct conn *c, hb_request *req);
void carrier_end_probe(struct conn *c);
void carrier_pause(struct conn *c, bool paused);

/* Of a link: */
void carrier_adopt(struct conn *c, struct link *link);
void carrier_linked(struct conn *c, struct link *link);
void carrier_lost(struct conn *c, struct link *link);
void carrier_text(struct conn *c, struct link *link, hb_str text);
void carrier_binary(struct conn *c, struct link *link, hb_str bytes);
void carrier_pong(struct conn *c, struct link *link, hb_str payload);
void carrier_hung_up(struct conn *c, struct link *link, unsigned code, hb_end why);

#endif
