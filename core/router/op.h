/*
 * Ops on their way: a client's request as an owned object, checked against the protocol's bounds.
 */
#ifndef ROUTER_OP_H
#define ROUTER_OP_H

#include "room/home.h"
#include "router/hooks.h"

struct batch;
struct membership;

/* Who wants the answer of an op. */
enum op_origin {
    OP_CLIENT,   /* a reply, or an error without an id, in the session's outbox */
    OP_BATCH,    /* POST /hub/send: collected there */
    OP_START,    /* a room named when the session opened: `joined` */
    OP_GRANTED,  /* the same, on the server's word: nobody is asked */
    OP_SERVER,   /* the server's wish: `joined` when it works, nothing else */
};

/* One allocation; travels to homes and hooks and back. Owned by the session's queue, or by the
 * request or hook that is under way. */
struct op {
    struct list link;          /* in the session's waiting list */
    struct home_req req;
    struct chain chain;
    struct shard *s;           /* of the session */
    hb_sid sid;
    enum op_origin origin;
    struct batch *batch;       /* OP_BATCH; valid as long as its session is */
    char *scope;               /* owned: whose key it is; outlives the session */
    struct membership *membership; /* JOIN: held in reserve until it is answered */
    hb_op f;                   /* strings in `bytes` */
    char bytes[];
};

/* A copy of a decoded op; NULL when memory is out. */
struct op *op_create(struct shard *s, hb_sid sid, const hb_op *f, enum op_origin origin);
void op_free(struct op *op);   /* with its chain and request; NULL is fine */

/* Is every value within the protocol's bounds? HB_OK, or the code and a sentence. */
hb_code op_check(const hb_op *f, const char **sentence);
/* Is this a room name that a client may use? `@` rooms are none. */
bool op_room_name(hb_str room);

#endif
