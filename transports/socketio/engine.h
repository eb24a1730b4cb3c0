/*
 * Engine.IO 4: one connection, over polling requests, a WebSocket, or first one and then the other.
 * It carries a hubbub session from the handshake on; above it are namespaces (socket.h), or an echo.
 *
 * Packets are dealt with in order, and no further ones are read while too many ops are under way: a
 * WebSocket is paused then, a POST is answered later. One worker's thread.
 */
#ifndef SOCKETIO_ENGINE_H
#define SOCKETIO_ENGINE_H

#include "link.h"
#include "payload.h"
#include "socket.h"
#include "wire.h"

enum engine_timer {
    TIMER_PING,    /* send a ping, or none of its answer came */
    TIMER_CONNECT, /* no namespace was entered in time */
    TIMER_NOOP,    /* end the poll that an upgrade waits for */
    TIMER_UPGRADE, /* the probe took too long */
    TIMER_END,     /* nobody fetches the last words */
    TIMER_COUNT
};


struct conn {
    struct worker *worker;
    hb_session *session;      /* NULL until it is opened, and once it ended */
    hb_sid sid;
    struct link *link;        /* that carries it; NULL: it is polled */
    struct link *probe;
    hb_request *poll, *post;  /* a GET that waits, a POST that is not dealt with to its end */
    hb_str post_rest;
    struct sockets sockets;
    hb_timer timer;
    uint64_t at[TIMER_COUNT]; /* when; 0: not set */
    uint64_t timer_at;        /* what `timer` is set to; 0: not set */
    uint8_t form;
    bool echo;
    bool waits_for_pong, extended;
    bool probing;             /* 2probe came: polls are ended */
    bool closing;             /* the host closed the session */
    bool leaving;             /* the client closed it, and may have a poll on its way */
    bool over;                /* its session ended */
    bool paused, resuming;
    uint16_t holds;           /* callbacks that run */
};

/* A handshake. */
void engine_open(struct worker *w, hb_request *req, const hb_claim *claim, bool websocket, bool echo);
/* Later requests. */
void engine_poll(struct conn *c, hb_request *req);
void engine_post(struct conn *c, hb_request *req);
void engine_upgrade(struct conn *c, hb_request *req);

/* An error as Engine.IO has it: JSON, or plain text where a WebSocket was asked for. */
void engine_refuse(const hb_net *net, hb_request *req, bool websocket, int status, int code,
    hb_str message);

/* For socket.c. Packets of Socket.IO, in order with what the host sends. */
void engine_send(struct conn *c, hb_str text);           /* behind Engine.IO's digit */
void engine_send_base64(struct conn *c, hb_str base64);  /* bytes */
void engine_fault(struct conn *c);                       /* a violation: the connection closes */
void engine_resume(struct conn *c);                      /* ops came back: read on */
void engine_entered(struct conn *c);                     /* a namespace: no connect time-out any more */
/* Between these it is not freed, whatever ends it. */
void engine_hold(struct conn *c);
void engine_release(struct conn *c);
struct conn *engine_find(const hb_ctx *ctx, hb_sid sid);  /* NULL: gone */

/* For link.c. */
void engine_adopt(struct conn *c, struct link *link);
void engine_linked(struct conn *c, struct link *link);
void engine_lost(struct conn *c, struct link *link);
void engine_text(struct conn *c, struct link *link, hb_str text);
void engine_binary(struct conn *c, struct link *link, hb_str bytes);
void engine_pong(struct conn *c, struct link *link, hb_str payload);
void engine_hung_up(struct conn *c, struct link *link, unsigned code, hb_end why);
bool engine_is_full(const struct conn *c);
void engine_pause(struct conn *c);

/* The transport's callbacks. */
void engine_ready(const hb_ctx *ctx, void *conn);
void engine_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
void engine_ended(const hb_ctx *ctx, void *conn);

#endif
