/*
 * Socket.IO 5 on an Engine.IO connection: namespaces entered and left, events as ops, replies as
 * acks, attachments. A `socket` is one client's place in one namespace; when its connection breaks
 * it is kept for a while (recover.h) and taken up again. One worker's thread at a time.
 */
#ifndef SOCKETIO_SOCKET_H
#define SOCKETIO_SOCKET_H

#include "packet.h"
#include "worker.h"

struct conn;

enum { SOCKET_PID = 20, SOCKET_SID = 23 };

enum socket_state {
    SOCKET_ENTERING,  /* its CONNECT is being dealt with */
    SOCKET_CONNECTED,
    SOCKET_GONE       /* the server put it out: what was in flight is ignored for a while */
};

/* A room that it is in. */
struct place {
    struct place *next;
    uint16_t n_cursor, n_room;
    bool granted;        /* the server put it there */
    char text[];         /* the cursor at the join (none: the room keeps no history), then the room */
};

/* What is kept of a socket whose connection is gone, besides the socket. */
struct rest {
    uint64_t expires_ms;
    struct place *own;   /* its user's own room; may be NULL */
    hb_str user;         /* absent: anonymous */
    char text[];         /* `@`, the user: the name of that room */
};

struct socket {
    struct socket *next; /* of its connection */
    struct place *places;
    struct rest *rest;   /* NULL while it is connected */
    uint64_t gone_until;
    uint64_t stale;      /* socket_hash of the offset that its client came with: it says nothing; 0: none */
    uint8_t state;       /* enum socket_state */
    char pid[SOCKET_PID + 1]; /* "" : not recoverable */
    char sid[SOCKET_SID + 1];
    uint8_t n_space;
    char space[];
};

struct entering;
struct pending;
struct waiting;
struct partial;
struct entered;

/* A connection's sockets. */
struct sockets {
    struct socket *list;
    struct entering *entering; /* in order; the first is dealt with */
    struct pending *pending;   /* ops under way */
    struct waiting *waiting;   /* acks that clients owe */
    struct partial *partial;   /* a packet whose attachments are still to come */
    struct entered *entered;   /* namespaces of which the modules don't know yet */
    struct place *own;         /* its user's own room; without the name */
    uint32_t next_ack;
    uint16_t n_pending, n_sockets, n_waiting;
    uint16_t numbers;          /* socket ids given out */
    bool waits_for_token, started;
    bool forget;               /* the server ended it for good: nothing is kept */
    bool own_joined;           /* its user's own room, with the main namespace, where it speaks */
};

hb_str socket_space(const struct socket *s);

/* A packet's text (without Engine.IO's digit), or an attachment. */
void socket_text(struct conn *c, hb_str text);
void socket_binary(struct conn *c, hb_str raw);
bool sockets_full(const struct conn *c);

/* The session is closed, or over: what may be recovered is stored. Then, when nothing refers to the
 * connection: free. */
void sockets_ended(struct conn *c);
void sockets_finish(struct conn *c);

/* A new one in no namespace's list; NULL: memory is out. */
struct socket *socket_create(hb_str space);
void socket_free(struct socket *s);
/* What is kept of it besides; `own`: where its user's own room goes on, absent: it is not in it. False:
 * memory is out. */
bool socket_keep(struct socket *s, hb_str user, hb_str own);

/* hb_transport.event */
bool socket_event(const hb_ctx *ctx, void *conn, const hb_event *ev);

/* enter.c: CONNECT. */
void enter_begin(struct conn *c, const struct packet *p);
void enter_replied(struct conn *c, const hb_event *ev);
void enter_joined(struct conn *c, const hb_event *ev);
void enter_abandon(struct conn *c);
/* What recover_ask was asked for; takes `found` (NULL: nothing, or, `later`, nobody can say just now).
 * False: nobody asks any more. */
bool enter_found(const hb_ctx *ctx, hb_sid sid, uint32_t number, struct socket *found, bool later);

/* entered.c: the modules are to be told; tell them now; nobody is to be told any more. */
void entered_note(struct conn *c, const struct socket *s, hb_str data);
void entered_tell(struct conn *c);
void entered_forget(struct conn *c);

/* For enter.c. */
struct socket *socket_find(struct conn *c, hb_str space);
void socket_remove(struct conn *c, struct socket *s);
void socket_send_json(struct conn *c, enum packet_type type, hb_str space, const uint64_t *id, hb_str json);
/* An op whose reply goes to enter_replied. */
void socket_auth_op(struct conn *c, hb_op *op);
void socket_leave_rooms(struct conn *c, struct socket *s);
/* A room was joined: its place, with the cursor where that is of use. */
void place_note(struct conn *c, struct place **list, hb_str room, hb_str cursor, bool granted);
/* False: memory is out. */
bool place_add(struct place **list, hb_str room, hb_str cursor, bool granted);
void places_free(struct place *list);
/* NULL: not in that room. */
struct place **place_find(struct place **list, hb_str room);
void place_remove(struct place **at);
hb_str place_room(const struct place *p);
hb_str place_cursor(const struct place *p);

/* For recover.c: the socket of that name taken out of that connection, whose client has moved on: it
 * ends. NULL: it is not there. */
struct socket *socket_steal(const hb_ctx *ctx, hb_sid sid, const char *pid);
/* The same of one that is being taken up there. */
struct socket *enter_steal(struct conn *c, const char *pid);

#endif
