/*
 * A host for one transport module: no sockets, no loop, no core. A test makes requests and bytes by
 * hand and looks at what the module did with them; everything is a plain field to read.
 *
 *     fake_start(&hubbub_module, &options);
 *     struct fake_request *r = fake_request("GET", "/hub/ws");
 *     fake_request_header(r, "upgrade", "websocket");
 *     CHECK(fake_request_send(r));
 *     hb_stream *s = fake_stream_open(r);
 *     fake_stream_data(s, bytes, n);
 *     CHECK_STR(buf_view(&r->session->input), "{\"type\":\"ping\"}\n");
 *     fake_stop();
 *
 * There is one host at a time, `fake`; what it made lives until fake_stop. net->end tells the
 * transport `ended` before it returns: whoever bears that bears a host that does it later.
 */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

#include "base/buf.h"
#include <hubbub/transport.h>

#define FAKE_HEADERS 16
#define FAKE_SLOTS 8
#define FAKE_FRAMES 64
#define FAKE_TIMERS 8

struct fake_request {
    hb_request req; /* what the module gets; first */
    hb_header headers[FAKE_HEADERS];
    size_t n_headers;
    hb_claim claim;
    /* what became of it */
    int status;        /* of the answer; 0: none yet */
    hb_code code;      /* of respond_error */
    struct buf head;   /* the answer's headers, "name: value\n" each */
    struct buf body;
    bool parked;
    const hb_stream_events *events; /* it was taken over; they get `owner` */
    void *owner;
    hb_session *session; /* opened for it, or NULL */
    struct buf value;    /* behind net->query */
    struct fake_request *next;
};

struct hb_stream {
    const hb_stream_events *events;
    void *owner;
    struct buf out; /* written to it, session frames included */
    struct buf in;  /* not used up yet */
    bool closed;    /* by the module, by its session's end or by the peer: nothing is called any more */
    bool paused;
    hb_session *session;
    struct hb_stream *next;
};

struct hb_out {
    struct buf bytes;
    size_t slot_at[FAKE_SLOTS];
    unsigned slot[FAKE_SLOTS];
    size_t n_slots;
};

/* As it was encoded: its slots are filled when it is written or taken. */
struct fake_frame {
    struct buf bytes;
    size_t slot_at[FAKE_SLOTS];
    unsigned slot[FAKE_SLOTS];
    size_t n_slots;
};

struct hb_session {
    void *conn;
    unsigned variant;
    hb_stream *stream;
    bool started, ended, at_once;
    hb_end why;       /* of net->end, net->close */
    int close_code;   /* of net->close */
    struct buf rooms; /* of net->start, a line each */
    struct buf since; /* of net->start: the cursor */
    void (*when_started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message);
    struct buf input; /* of net->input, a line each */
    hb_op ops[FAKE_FRAMES]; /* of net->op; their strings are gone */
    size_t n_ops;
    struct fake_frame frames[FAKE_FRAMES]; /* waiting: taken with net->take, written once there is a stream */
    size_t n_frames;
    unsigned answers; /* of a transport that fetches: numbers its cursors */
    int touched;
    struct hb_session *next;
};

struct fake_host {
    hb_host host;
    hb_net net;
    hb_ctx ctx;
    const hb_module *module;
    int64_t limits[HB_LIMIT_COUNT];
    size_t stream_limit;  /* net->stream_write takes no more than this in all; 0: no bound */
    uint64_t now_ms;
    const char *cursor;   /* of every session; "-1", "-2", … behind it where answers are fetched */
    hb_timer *timers[FAKE_TIMERS]; /* set ones */
    uint64_t due_ms[FAKE_TIMERS];
    /* How net->open answers: HB_OK admits. */
    hb_code open_code;
    bool open_later;      /* not before fake_open_answer */
    /* How net->start answers; with start_later not before fake_session_started. */
    hb_code start_code;
    bool start_later;
    hb_open opening;      /* the last net->open */
    char credential[256]; /* its credential, "" if absent */
    struct fake_request *opening_request;
    /* Called within net->input, for what the core might do there. */
    void (*on_input)(hb_session *session, hb_str json);
    struct fake_request *requests;
    hb_stream *streams;
    hb_session *sessions;
};
extern struct fake_host fake;

/* Begins with a message_size of 64 KiB and an inflated_size of 1 MiB. */
void fake_start(const hb_module *module, const void *options);
/* Ends what still runs, the module last. */
void fake_stop(void);

/* `target` is a path, and a query behind '?'. */
struct fake_request *fake_request(const char *method, const char *target);
/* Both live until fake_stop; the name in lower case. */
void fake_request_header(struct fake_request *r, const char *name, const char *value);
/* Claimed and handed on? `conn`: of the session that the request belongs to, or NULL. */
bool fake_request_send(struct fake_request *r);
bool fake_request_send_for(struct fake_request *r, void *conn);
/* Its client goes away before the answer: `gone`, or while net->open is thinking, `ended`. */
void fake_request_leave(struct fake_request *r);
void fake_open_answer(void);

/* After take_over: the connection is there; false: its client has gone (returns NULL). */
hb_stream *fake_stream_open(struct fake_request *r);
void fake_stream_vanish(struct fake_request *r);
/* Bytes arrive; what the module leaves comes again before the next ones. Each piece lies in memory
 * of exactly its size. */
void fake_stream_data(hb_stream *s, const void *bytes, size_t n);
void fake_stream_disconnect(hb_stream *s);

/* Time passes; timers that are due fire, in order. */
void fake_advance(uint64_t ms);

void fake_session_started(hb_session *s);
/* The core tells the session something, closes it, ends it. */
void fake_session_tell(hb_session *s, const hb_event *ev);
void fake_session_close(hb_session *s, int code, const char *reason);
void fake_session_end(hb_session *s);
void fake_session_heartbeat(hb_session *s);

/* The wire form of an event; `out` is initialised by the caller and finished by it. */
void fake_encode(unsigned variant, const hb_event *ev, struct buf *out);
/* An event with nothing in it but its kind. */
hb_event fake_event(hb_event_kind kind);

#endif
