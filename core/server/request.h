/*
 * hb_request: one to answer, in one of three places. On the worker where it arrived it is h2o's
 * request or, parked, a bare socket; on another worker, where its session lives, it is a copy whose
 * answer goes back by mail (bridge.c). Worker's thread.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "server/query.h"
#include "server/worker.h"

struct far;
struct parked;
struct remote;

enum { REQUEST_TARGET_MAX = 64 * 1024 };

/* Ties h2o's request to ours: in its pool, so it goes when h2o is done with the request. */
struct tie {
    h2o_req_t *req;
    struct conn *conn;
    struct request *request; /* NULL: answered, or none was made */
    bool ours;               /* the answer is one of ours, not h2o's */
};

/* What goes once a request is parked. */
struct request_details {
    char remote[46];
    struct query *query;    /* parsed when asked for */
    hb_str credential;      /* for the one who dispatches */
};

struct request {
    hb_request pub;
    struct worker *worker;
    struct tie *tie;        /* where it arrived, until answered, parked or taken over */
    struct parked *parked;  /* where it arrived, parked */
    struct far *far;        /* a copy */
    struct remote *remote;  /* of another node (remote.c) */
    struct request_details *details;
};

static inline struct request *request_of(const hb_request *req)
{
    return (struct request *)(uintptr_t)req;
}

/* A request of h2o's, with its strings borrowed from there. NULL when memory is out. */
struct request *request_create(struct worker *w, struct tie *tie);
void request_destroy(struct request *r);
/* Parked, and h2o's part is gone: only what the answer takes is kept. */
void request_slim(struct request *r);
/* h2o lets go of the request: where it was not answered its owner is told. */
void request_abandon(struct request *r);
/* At the end of the worker: tell its owner, and the client that it may ask again. False when it is
 * answered already. */
bool request_give_up(struct tie *tie);

/* io_ops and hb_net. */
hb_str request_header(const hb_request *req, hb_str lower_case_name);
hb_str request_query(hb_request *req, hb_str key, size_t nth);
void request_respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body);
void request_respond_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms);
void request_park(hb_request *req, const hb_header *headers, size_t n);
void request_take_over(hb_request *req, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner);

/* Pieces for the files of server/. */
const char *request_reason(int status);
int request_status(hb_code code);
/* {"error":{"code":…,"message":…}} */
void request_error_body(struct buf *out, hb_code code, hb_str message);
/* Copy headers to h2o's answer; those with a line break inside are left out. */
void request_put_headers(h2o_req_t *req, const hb_header *headers, size_t n);
void request_put_header(h2o_req_t *req, const char *name, hb_str value);

#endif
