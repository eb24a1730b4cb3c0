/* A home from the inside: for the files that share it (home*.c), nobody else. */
#ifndef ROOM_HOME_INNER_H
#define ROOM_HOME_INNER_H

#include "base/map.h"
#include "room/home.h"

struct home {
    struct shard *s;
    void *state;           /* the backend's */
    struct timer idle;     /* set while nobody is in it */
    int32_t total;         /* members on all workers */
    uint32_t pending;      /* calls to the backend that are not answered */
    uint32_t rules;        /* homes.rules when its bounds were looked up */
    uint32_t here[];       /* members by worker; behind it the name, which ends with a NUL */
};

struct homes {
    struct map rooms;
    const hb_backend *backend;
    const hb_ctx *ctx;     /* of the backend */
    hb_ctx own;            /* of the in-process one */
    uint32_t rules;        /* counts reloads */
};

hb_str home_name(const struct home *h);
struct home *home_find(struct shard *s, hb_str room);
/* The backend has answered: the common part, then back to who asked. */
void home_finish(struct home_req *req);
/* Set the user of a join; `fn` is its done. HB_UNAVAILABLE at once without a backend that can. */
void home_presence_count(struct home_req *req, void (*fn)(hb_done *, const hb_result *));
/* Run one of the presence verbs. */
void home_presence_run(struct home_req *req);

#endif
