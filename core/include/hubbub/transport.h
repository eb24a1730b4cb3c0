/*
 * The transport role: how bytes become ops and events become bytes. A transport claims requests,
 * opens sessions, hands their ops to the host, and encodes events; it never queues: the host owns
 * each session's outbox, its bound and its order. No type of the HTTP library appears here, so a
 * transport runs in unit tests against a fake host.
 *
 * Two ways to deliver:
 *   push  the session is bound to a stream (net->attach); the host writes encoded frames to it.
 *   pull  the session has no stream; the host says `ready`, and the transport takes encoded frames
 *         (net->take) when a request is there to carry them.
 *
 * All functions run on the worker that owns the session, whichever worker the request came in on:
 * the host carries requests and streams over. Only `claim` runs where the request arrived.
 */
#ifndef HUBBUB_TRANSPORT_H
#define HUBBUB_TRANSPORT_H

#include <hubbub/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hb_header {
    hb_str name, value;
} hb_header;

/* A request, from `request` until it is answered, taken over or its client gone (`gone`). */
typedef struct hb_request {
    hb_str method, path, query; /* query without '?', absent when none */
    hb_str body;                /* whole; bounded by limits.message_size, or the claim's body_limit */
    hb_str remote;              /* the client's IP address as text, trusted proxies resolved */
    bool tls;
    int http_minor;             /* 0 or 1 */
    void *owner;                /* the transport's */
    void (*gone)(struct hb_request *req); /* set by the transport: the client went away before the
                                             answer; last call with req */
} hb_request;

/* A connection that was taken over from HTTP. Bytes written are copied or sent before return. */
typedef struct hb_stream hb_stream;

typedef struct hb_stream_events {
    uint32_t size;
    /* The answer's head is on its way. stream NULL: the client went away first; last call. */
    void (*open)(void *owner, hb_stream *stream);
    /* Bytes arrived. Return how many were used up; the rest comes again with more behind it. */
    size_t (*data)(void *owner, const char *bytes, size_t n);
    /* The peer closed or the connection broke: the stream is gone when this returns; last call. A
     * session attached to it ends; calling `end` for it is harmless. */
    void (*closed)(void *owner);
} hb_stream_events;

typedef enum hb_event_kind {
    HB_EV_WELCOME,
    HB_EV_JOINED,
    HB_EV_REPLY,
    HB_EV_ERROR,
    HB_EV_MESSAGE,
    HB_EV_PRESENCE,
    HB_EV_BYE,
    HB_EV_MEMBER,  /* a session joined or left a room (event: "join" or "leave"): hb_transport.members */
    HB_EV_LEFT,    /* the server took this session out of `room` */
    HB_EV_EXIT,    /* the server puts this session out of `space` */
    HB_EV_KIND_COUNT
} hb_event_kind;

/* What a session is told. Which fields are set depends on the kind (protocol.md, "Server to
 * client"); strings are absent and numbers -1 where a field is not part of this event. */
typedef struct hb_event {
    uint32_t size;
    hb_event_kind kind;
    hb_str id;          /* REPLY: the op's id as JSON text */
    uint64_t tag;       /* REPLY: what the transport put into hb_op.tag */
    int op;             /* REPLY: the hb_op_type answered */
    hb_code code;       /* REPLY, JOINED: HB_OK or why not; ERROR */
    hb_str text;        /* the sentence of an error; the reason of a BYE */
    int64_t retry_after_ms;
    bool same_key;      /* unavailable with unknown outcome: retry with the same key */
    hb_str room, event, user, session, ticket, node;
    hb_str data;        /* JSON text */
    hb_str cursor;      /* as clients see it */
    int64_t ts, members, count, heartbeat_ms;
    int recovered;      /* -1: not told, 0, 1 */
    hb_str list;        /* JSON array text: `users` of presence, `messages` of history */
    int more;           /* -1: not told */
    int close_code;     /* BYE */
    bool reconnect;
    int64_t delay_ms;
    bool server;        /* MESSAGE from the server itself */
    hb_str space;       /* MESSAGE without a room, EXIT: a part of the application; absent: the main one */
    uint64_t ask;       /* MESSAGE: an answer is wanted, by net->answer, from who deals with the event
                           himself; 0: none */
} hb_event;

/* Where encode puts wire bytes. */
typedef struct hb_out hb_out;

typedef enum hb_op_type {
    HB_OP_NONE,
    HB_OP_AUTH,
    HB_OP_JOIN,
    HB_OP_LEAVE,
    HB_OP_PUBLISH,
    HB_OP_PRESENCE,
    HB_OP_HISTORY,
    HB_OP_CALL,
    HB_OP_REFRESH,
    HB_OP_PING
} hb_op_type;

/* One op, decoded. Strings borrowed for the call; absent where not given. */
typedef struct hb_op {
    uint32_t size;
    hb_op_type type;
    hb_str id;       /* JSON text of the id (number or string); absent: no reply wanted */
    uint64_t tag;    /* comes back in the reply's event; for transports whose ids are not JSON */
    bool wants_reply;
    hb_str room, event, data, key, since, token; /* data: JSON text */
    bool no_echo;
    int64_t limit;   /* 0: default */
    hb_str space;    /* CALL: see hb_call */
} hb_op;

typedef struct hb_claim {
    hb_str ticket;      /* of the session this request belongs to: the host finds its worker */
    hb_str credential;  /* found in a place only the transport knows; else the host looks in the usual ones */
    int64_t body_limit; /* 0: limits.message_size */
} hb_claim;

struct hb_transport {
    uint32_t size;
    unsigned variants;  /* wire forms: 0..variants-1 */
    bool one_way;       /* ops come by POST to send (of others it takes none), and clients give no sign of
                         * life between requests: silence does not close */
    bool cursors;       /* the host keeps each session's composite cursor up to date (net->cursor) */
    /* Is this request ours? Fill `out` (zeroed). Arriving worker's thread; must not keep `req`. */
    bool (*claim)(const hb_ctx *ctx, const hb_request *req, hb_claim *out);
    /* A claimed request whose Origin is allowed. `conn` is the session's when the claim's ticket
     * names a live session of this transport (its credential checked to be the same user's), else
     * NULL. Must end in respond, respond_error, park or take_over, now or later. */
    void (*request)(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *claim);
    /* Append the wire form of an event. Pure: the result is shared by all sessions of the variant.
     * Appending nothing means that this event is not told in this form. */
    void (*encode)(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out);
    /* push, with slots: append what stands in that slot for this session. */
    void (*fill)(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out);
    /* pull: something waits in the outbox; once per turn of the loop. */
    void (*ready)(const hb_ctx *ctx, void *conn);
    /* Time to show life: a ping, a comment; push with net->push. */
    void (*heartbeat)(const hb_ctx *ctx, void *conn);
    /* The host closes the session: its bye is queued already. Push the closing bytes, if any; push
     * sessions are closed after they went out or after 5 s. */
    void (*close)(const hb_ctx *ctx, void *conn, int close_code, hb_str reason);
    /* The session is over: free conn. Last call for it; `take`, `cursor` and host->session_info of
     * the session still answer within. */
    void (*ended)(const hb_ctx *ctx, void *conn);
    /* An event for this session alone (all kinds but MESSAGE, PRESENCE and MEMBER of rooms), before
     * it is encoded. True: it is dealt with, encode is not asked. It may push and call ops, not end
     * the session. NULL: all are encoded. */
    bool (*event)(const hb_ctx *ctx, void *conn, const hb_event *ev);
    /* MEMBER events are wanted: sent to a room's other members, of rooms up to HB_MEMBERS_TOLD. */
    bool members;
    /* With `cursors`: how many of the variants, the first ones, have a twin, so many further on, for
     * sessions that are in one room with a history only, while they are. A message's own cursor is
     * their composite one, so it needs no slot there. The two stand side by side in a session's
     * bytes. 0: none. */
    unsigned lone;
};

/* Past so many members on a node joins and leaves are not told there, nor of those there: each would
 * be told to all. */
#define HB_MEMBERS_TOLD 1000

typedef struct hb_open {
    uint32_t size;
    void *conn;            /* adopted by the session: freed through transport->ended */
    unsigned variant;
    hb_str credential;     /* absent: looked for in the usual places of the request */
    bool auth_later;       /* without a credential the client may still send `auth` */
    /* The answer, now or later; until then `owner` and `gone` of the request are the host's, and when
     * its client goes away there is no answer but conn goes through `ended`. session NULL: refused
     * with `code`; conn is the transport's again, and it answers the request (net->respond_error
     * does it in the usual form). */
    void (*opened)(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session,
        hb_code code, hb_str message, int64_t retry_after_ms);
    /* With auth_later: `opened` says HB_UNAUTHORIZED beside a session that waits for `auth`; it waits
     * auth_time_ms (0: limits.auth_time). A wrong `auth` is answered and, up to ten, leaves the
     * session as it was; a right one may also come later, as long as there is no user and no room. */
    bool auth_again;
    int64_t auth_time_ms;
} hb_open;

/* Bounds of the configuration's `limits` that a transport enforces itself. Bytes. */
typedef enum hb_limit {
    HB_LIMIT_MESSAGE_SIZE,  /* one message, as it arrives */
    HB_LIMIT_INFLATED_SIZE, /* one message after decompression */
    HB_LIMIT_COUNT
} hb_limit;

/* What became of a note. */
typedef struct hb_note {
    uint32_t size;
    hb_code code;  /* HB_OK, HB_NOT_FOUND (take), HB_UNAVAILABLE */
    bool unknown;  /* UNAVAILABLE: it may have happened */
    hb_str bytes;  /* take, HB_OK: borrowed for the call */
} hb_note;
typedef void hb_note_fn(const hb_ctx *ctx, const hb_note *note, void *arg);

struct hb_net {
    uint32_t size;

    /* Requests. */
    hb_str (*header)(const hb_request *req, hb_str lower_case_name); /* absent when not there */
    /* The nth value of a query parameter, percent-decoded, absent past the last; lives with req. */
    hb_str (*query)(hb_request *req, hb_str key, size_t nth);
    /* Answer and end the request. CORS and Content-Length are the host's. */
    void (*respond)(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body);
    /* Answer with an error body in the protocol's form and the status that fits the code. */
    void (*respond_error)(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms);
    /* Keep the request waiting cheaply: its status is fixed to 200 with these headers; later only
     * respond's body counts. `gone` is called as soon as the client leaves. */
    void (*park)(hb_request *req, const hb_header *headers, size_t n);
    /* Send this status and headers and take the connection. 101 adds `Connection: upgrade`; any
     * other status adds `Connection: close`: the body ends with the stream. req is gone then. */
    void (*take_over)(hb_request *req, int status, const hb_header *headers, size_t n,
        const hb_stream_events *events, void *owner);

    /* Streams. */
    void (*pause)(hb_stream *stream, bool paused);
    /* Close, without `closed` being called; what was written still goes out, for 5 s at most. May
     * be called from within `data`. For sessions use `end`. */
    void (*stream_close)(hb_stream *stream);

    /* Sessions. */
    void (*open)(const hb_ctx *ctx, hb_request *req, const hb_open *how);
    void (*attach)(hb_session *session, hb_stream *stream); /* push from here on */
    /* Go: the welcome is queued, then `joined` for its user's room and for each of the rooms named,
     * recovered from the composite cursor (may be absent). `started` (may be NULL) is called once all
     * of them are answered, now or later: HB_OK, or why none of the rooms named may be joined; then
     * the transport refuses the request and calls `end`. Nothing of rooms with a history comes
     * before `started`, where there was a cursor; it is
     * never called for a session that was closed or ended before. Of a session that still waits for
     * `auth` it is called at once. Once it was: more rooms may be joined by calling start again; then
     * only those are told. */
    void (*start)(hb_session *session, const hb_str *rooms, size_t n_rooms, hb_str cursor,
        void (*started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message));
    /* One op: as the protocol's JSON text, or decoded. */
    void (*input)(hb_session *session, hb_str json);
    void (*op)(hb_session *session, const hb_op *op);
    /* Bytes of the transport's own (a pong, a comment), in order with the frames. */
    void (*push)(hb_session *session, const void *bytes, size_t n);
    /* pull: move up to max_bytes of encoded frames (at least one, if any) to `out`; returns how many
     * frames. `separator` goes between two. */
    size_t (*take)(hb_session *session, size_t max_bytes, hb_str separator, hb_out *out);
    /* A sign of life: any byte from the client. (Ops count by themselves.) */
    void (*touch)(hb_session *session);
    /* Append the session's composite cursor: after all that has been written or taken. From a
     * transport with `ready` each call gives another one, so that a cursor names one answer. */
    void (*cursor)(hb_session *session, hb_out *out);
    /* The session is over: its rooms are left, what is queued (closing bytes included) still goes out. `closed` of its
     * stream ends it too. */
    void (*end)(hb_session *session, hb_end why, bool at_once);
    /* Close as the server: bye, then transport->close with that code. */
    void (*close)(hb_session *session, int close_code, hb_str reason, hb_end why);
    hb_str (*ticket)(hb_session *session); /* told to its owner only */

    /* Output. */
    void (*out)(hb_out *out, const void *bytes, size_t n);
    void (*out_json)(hb_out *out, const hb_event *ev); /* the event in the protocol's JSON */
    void (*out_slot)(hb_out *out, unsigned slot);      /* in encode: `fill` decides what stands here */
    size_t (*out_size)(const hb_out *out);
    hb_str (*out_view)(const hb_out *out);             /* borrowed until the next append */
    void (*out_insert)(hb_out *out, size_t at, const void *bytes, size_t n); /* before slots only */
    void (*out_truncate)(hb_out *out, size_t n);

    /* Streams without a session: copied or sent before return. Returns n, or 0 when what waits unsent
     * would pass limits.outbox: nothing was taken then. Never calls `closed` from within. */
    size_t (*stream_write)(hb_stream *stream, const void *bytes, size_t n);
    /* The limit in force now. */
    int64_t (*limit)(hb_limit which);

    /* An hb_out of the transport's own, for `take` and `cursor`. Destroying NULL is fine. */
    hb_out *(*out_create)(void);
    void (*out_destroy)(hb_out *out);
    bool (*out_failed)(const hb_out *out); /* memory ran out: some of it is missing */
    /* Append one cursor that says what all of these say (of a room in several, what the first says).
     * What is no cursor is left out; returns how many were, and appends nothing for none. */
    size_t (*cursor_merge)(const hb_str *cursors, size_t n, hb_out *out);
    /* Events are encoded in another form from here on. What was encoded must have been taken. */
    void (*variant)(hb_session *session, unsigned variant);
    /* Tell the modules that the session entered a part of the application (hb_hooks.entered). */
    void (*enter)(hb_session *session, hb_str space, hb_str data);
    /* The client's answer to an event that asked for one (hb_event.ask), as JSON text. An answer
     * that nobody waits for any more is fine. */
    void (*answer)(hb_session *session, uint64_t ask, hb_str data);

    /* cursor_merge, but of a room in several the latest position counts. */
    size_t (*cursor_latest)(const hb_str *cursors, size_t n, hb_out *out);
    /* start, where the first n_granted rooms are joined on the transport's word: the server had put the
     * client there before. Its user's own room is joined only if it is one of them. */
    void (*resume)(hb_session *session, const hb_str *rooms, size_t n_rooms, size_t n_granted, hb_str cursor,
        void (*started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message));
    /* Within `started`: leave these rooms now, before anything of them was told. */
    void (*leave)(hb_session *session, const hb_str *rooms, size_t n);

    /* Notes: bytes of this transport's own under a name (1 to 64 bytes), kept for all nodes until they
     * expire or the first of them takes them (hb_backend.note_put). `done` is called once, on this worker,
     * before or after these return, within seconds, in the order of the calls about one name; when the
     * worker ends that may be after worker_finish: ctx->local is NULL then. A drain waits for it. */
    size_t (*note_max)(void); /* how long one may be; 0: this node keeps none, and finds none at once */
    void (*note_put)(const hb_ctx *ctx, hb_str name, hb_str bytes, int64_t ttl_ms, hb_note_fn *done, void *arg);
    void (*note_take)(const hb_ctx *ctx, hb_str name, hb_note_fn *done, void *arg);
};

#ifdef __cplusplus
}
#endif
#endif
