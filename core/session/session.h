/*
 * A session: one connected client. It lives on one worker; everything here is that worker's thread.
 *
 *   CONNECTING ──hooks──▶ OPEN ──close()──▶ CLOSING ──flushed──▶ (freed at the end of the turn)
 *        └─auth_later──▶ WAITING ─auth─┘
 *
 * CONNECTING: the connect hooks are asked; nothing is known about it outside. WAITING: open, but its
 * first op must be `auth`. CLOSING: it has left its rooms and takes no more ops; what is queued still
 * goes out. Memory: the session owns its memberships, waiting ops and outbox; its conn is the
 * transport's, given back by transport->ended.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "out/outbox.h"
#include "room/members.h"
#include "router/op.h"
#include "router/rights.h"

enum session_state { SESSION_CONNECTING, SESSION_WAITING, SESSION_OPEN, SESSION_CLOSING, SESSION_DEAD };

enum {
    SESSION_ID_BYTES = 9,       /* public id: 12 characters */
    SESSION_SECRET_BYTES = 16,
    SESSION_TICKET_MAX = 48,
    SESSION_BAD_MAX = 50,       /* faulty ops in a row, then close 1008 */
    SESSION_CLOSE_MS = 5000,    /* for closing bytes to go out */
    SESSION_INFLIGHT_MAX = 256, /* publishes under way */
};

struct session_auth {           /* made when its token says more than a name */
    struct timer expiry;        /* set when it expires */
    struct session *session;
    int64_t expires_at, issued_at;
    struct rights *rights;
    char *token_id;             /* owned, or NULL */
};

struct session {
    struct outbox out;
    struct shard *s;
    void *conn;
    hb_sid sid;
    char *user;                 /* owned; NULL: anonymous */
    struct session_auth *auth;  /* owned; NULL: no rights, never expires */
    struct list rooms;          /* struct membership */
    struct list waiting;        /* struct op: behind `busy` */
    struct op *busy;            /* under way, and all others wait for it; NULL: none */
    struct list batches;        /* struct batch */
    struct start *start;        /* rooms of the opening request that are not answered yet */
    struct timer timer;         /* auth time, heartbeat, or closing time: by state */
    int64_t opened_ts;
    struct in6_addr_bytes {
        uint8_t b[16];
    } remote;                   /* v4 as ::ffff:a.b.c.d */
    uint32_t last_seen_ms;      /* the low half of the clock: only spans count */
    uint32_t n_answers;         /* of a pull session: each has its own cursor */
    uint32_t last_ask;          /* what its client is asked, the latest (ask.c); 0: nothing */
    uint16_t n_rooms, n_waiting, n_inflight, n_replays;
    uint16_t n_cursors;         /* of its rooms, those with a history */
    uint8_t state, module, bad;
    bool had_credential : 1, may_auth : 1, auth_again : 1, started : 1, paused : 1, rooms_left : 1,
        doomed : 1, running_queue : 1;
    bool announced : 1;         /* modules were told that it is open */
    uint8_t why;                /* enum hb_end, from CLOSING on */
    uint8_t id[SESSION_ID_BYTES], secret[SESSION_SECRET_BYTES];
    void *slots[];              /* of plugins: hub->n_slots */
};

/* Registry: sessions of this worker by slot and generation. */
struct registry *registry_create(void);
void registry_destroy(struct registry *r);
struct session *session_find(struct shard *s, hb_sid sid);
size_t registry_count(const struct registry *r);
/* Each session; the callback may close, not free. */
void registry_each(struct shard *s, void (*fn)(struct session *ss, void *arg), void *arg);
static inline int sid_worker(hb_sid sid)
{
    return (int)(sid >> 56) - 1;
}

/* Texts. Buffers of at least SESSION_TICKET_MAX and INET6_ADDRSTRLEN; results borrow from them. */
hb_str session_public_id(const struct session *ss, char *buf);
hb_str session_ticket(const struct session *ss, char *buf);
hb_str session_remote(const struct session *ss, char *buf);
hb_str session_user(const struct session *ss);
const hb_transport *session_transport(const struct session *ss);
const hb_ctx *session_ctx(const struct session *ss); /* of its transport */
/* The session that a ticket proves to own, or NULL. */
struct session *session_by_ticket(struct shard *s, hb_str ticket);

/* Life. */
struct session *session_create(struct shard *s, unsigned module, unsigned variant, void *conn, hb_str remote);
/* Its credential was accepted: takes user, rights, expiry. Modules that know the session hear of it. */
void session_accept(struct session *ss, const hb_outcome *who);
/* Close as the server: leaves its rooms, `bye`, then the transport's closing bytes. `quiet`: no bye. */
void session_close(struct session *ss, int code, hb_str reason, hb_end why);
void session_close_later(struct session *ss, int code, hb_str reason, hb_end why, int64_t delay_ms);
/* It is over: leaves its rooms; freed when what is queued is out, or at once without a stream. */
void session_end(struct session *ss, hb_end why, bool at_once);
/* End of turn: free what died in it. */
void sessions_reap(struct shard *s);
void session_touch(struct session *ss);
/* From accepted to open: timers run. */
void session_open(struct session *ss);
void session_wait_for_auth(struct session *ss, int64_t time_ms);
/* Open, and its transport ready: modules hear of it, once, and of its end. */
void session_announce(struct session *ss);

/* Rooms. */
struct membership *session_membership(const struct session *ss, hb_str room);
void session_leave_room(struct session *ss, struct membership *m, bool at_once);
bool session_may_join(const struct session *ss, hb_str room);
bool session_may_publish(const struct session *ss, hb_str room);
const struct rights *session_rights(const struct session *ss);

/* Sending. */
void session_event(struct session *ss, const hb_event *ev);
unsigned session_wire(const struct session *ss, unsigned variant);
/* One room with a history more or less: its wire form may be another then (hb_transport.lone). */
void session_count_cursors(struct session *ss, int more);
void session_error(struct session *ss, hb_code code, hb_str text);
void session_welcome(struct session *ss);

extern const struct session_ops session_ops;

#endif
