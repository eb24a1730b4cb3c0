/*
 * A session over long polls: the poll that waits, the answer that is kept until the client says that
 * it has it, and the time between two polls. One worker's thread.
 *
 *   OPENING ──rooms answered──▶ LIVE ──the server closes it──▶ CLOSED ──all is told──▶ ended
 *                                 └───── no poll for the linger time ─────────────────▶ ended
 */
#ifndef LONGPOLL_CONN_H
#define LONGPOLL_CONN_H

#include "../common/http.h"

/* What all sessions of a worker share. */
struct worker {
    const hb_ctx *ctx;
    const hb_net *net;
    uint64_t wait_ms, linger_ms;
};

enum conn_state { CONN_OPENING, CONN_LIVE, CONN_CLOSED };

struct conn {
    hb_timer timer;          /* while a poll waits: for how long; else the linger time */
    struct worker *worker;
    hb_session *session;     /* NULL: not there yet */
    hb_request *poll;        /* to be answered; NULL: none */
    struct opening *opening; /* in OPENING */
    char *kept;              /* the last answer with something in it; NULL: the client has it */
    size_t n_kept, cursor_at, n_cursor;
    int close_code;          /* in CLOSED */
    uint8_t state;           /* enum conn_state */
    bool introduced;         /* the ticket was told */
};

/* Takes the opening. NULL: out of memory. */
struct conn *conn_create(struct worker *w, struct opening *opening);
/* Before it has a session only; later a conn frees itself. */
void conn_destroy(struct conn *c);
/* Admitted: joins the rooms, then answers the request. */
void conn_start(struct conn *c, hb_request *req, hb_session *session);
/* A poll of this session; `cursors`: what the client has. HB_OK: it is answered, or will be. Else the
 * server closed the session and the client knows all that it had to say: the request is the caller's
 * to answer. */
hb_code conn_poll(struct conn *c, hb_request *req, const hb_str *cursors, size_t n_cursors);

/* The transport's callbacks for a session. */
void conn_ready(const hb_ctx *ctx, void *conn);
void conn_close(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
void conn_ended(const hb_ctx *ctx, void *conn);

void opening_free(const hb_net *net, struct opening *o); /* with what owns its strings */

#endif
