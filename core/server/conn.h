/*
 * A connection from accept to close: who owns its socket now, how long it may take to say what it
 * wants, what it counts against. One allocation; a quiet stream costs this and h2o's socket. Owned
 * by its socket: freed when that closes. Worker's thread.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "server/peers.h"
#include "server/stream.h"
#include "server/worker.h"

enum conn_state {
    CONN_PROXY,  /* waiting for a PROXY header */
    CONN_GATE,   /* gate.c: the admin listener's, its first head to be looked at */
    CONN_HTTP,   /* h2o reads requests from it */
    CONN_TAKING, /* the head of a taken-over answer is being written */
    CONN_PARKED, /* park.c */
    CONN_STREAM, /* stream_local.c */
    CONN_LINGER, /* all is written; waiting for the peer to close */
};

enum conn_phase { PHASE_QUIET, PHASE_HEAD, PHASE_BODY };

struct tie;    /* http.c: the request that is being handled */
struct parked; /* park.c */

struct conn {
    h2o_socket_t *sock;
    struct listener *listener;
    struct list link;      /* in worker->conns or worker->resumed */
    struct peer peer;      /* when `charged` */
    uint8_t state;         /* enum conn_state */
    uint8_t refuse;        /* hb_code: the first request is answered with it, HB_OK: none */
    bool counted;          /* against limits.connections */
    bool charged;          /* against limits.connections_per_ip */
    bool charged_once;     /* for this request only: the connection is a trusted proxy's */
    bool proxied;          /* a PROXY header named the client */
    bool resumed;          /* in worker->resumed */
    bool trusted;          /* an admin's: its first request showed what the endpoint asks for */
    bool leaving;          /* an admin's: told to go */
    union {
        struct { /* PROXY, GATE, HTTP, LINGER */
            struct timer timer;
            struct tie *tie;       /* NULL: no request in progress */
            uint32_t quiet_for_ms; /* between requests */
            uint8_t phase;         /* enum conn_phase, as last seen */
            bool served;           /* a request before this one */
            bool unclosed;         /* LINGER: the socket is closed when its bytes are not in use */
        };
        struct parked *parked; /* TAKING, PARKED */
        hb_stream stream;      /* TAKING, STREAM */
    };
};

/* A new connection; takes the descriptor. */
void conn_accept(struct listener *l, int fd, const struct sockaddr_storage *peer);
struct conn *conn_of(h2o_socket_t *sock);
struct conn *conn_of_request(const h2o_req_t *req);
struct worker *conn_worker(const struct conn *c);
/* The address of the client, as far as the connection knows. */
void conn_peer(const struct conn *c, struct sockaddr_storage *out);
/* Charge a trusted proxy's connection to the client that it carries a request of, for as long as
 * that takes; false when that address has too many. */
bool conn_charge_request(struct conn *c, const struct sockaddr_storage *client);

/* Hand it to the HTTP library, with what was read already. */
void conn_enter_http(struct conn *c);
/* A request is handled: `tie` until conn_request_done. */
void conn_request(struct conn *c, struct tie *tie);
void conn_request_done(struct conn *c);
/* Its head goes out and then it is no longer h2o's: the timer is off. */
void conn_taking(struct conn *c);
/* Give it back to h2o for the next request. */
void conn_back_to_http(struct conn *c);
/* End it: the peer gets what is written already, then it closes. */
void conn_linger(struct conn *c);
/* Close it now. */
void conn_close(struct conn *c);
/* At the end: end every connection of the worker, streams by telling their owners. */
void conn_close_all(struct worker *w);

#endif
