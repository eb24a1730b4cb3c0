/*
 * Homes: each room has one worker, chosen by hash, where its messages get their order. The home asks
 * the backend for places and history, and sends what is published to each worker that has members.
 *
 * Other workers reach a home by a request that travels there and back; on the home's own worker it
 * is a call. Requests of one worker to one home arrive, and come back, in order.
 */
#ifndef ROOM_HOME_H
#define ROOM_HOME_H

#include "out/shard.h"

struct homes *homes_create(struct shard *s);
void homes_destroy(struct shard *s);

enum home_verb {
    HOME_JOIN,    /* one more member on `from`; with `presence` its user is set first; with `since` also
                   * the first page of what it missed */
    HOME_LEAVE,   /* one less: see home_leave */
    HOME_SYNC,    /* nothing: comes back when all that was sent before it is done */
    HOME_PUBLISH, /* `message` gets its place */
    HOME_LOOKUP,  /* is this key known? HB_OK with pos and ts, HB_CONFLICT, or HB_NOT_FOUND */
    HOME_READ,    /* a page of history */
    HOME_PRESENCE_SET,  /* with `presence`, as the backend's */
    HOME_PRESENCE_DROP,
    HOME_PRESENCE_LIST, /* up to `limit` users */
};

/* What the presence verbs, and a join, take and give besides. Lives as the request does. */
struct home_presence {
    hb_str user, session, data;
    hb_sid origin;
    int64_t grace_ms;
    bool counted;         /* JOIN: it was set, whatever became of the join */
    bool all_or_none;     /* LIST: more than `limit` are not named; the modules are told COUNT instead */
    struct buf users;     /* LIST: the JSON array; home_req_finish */
    int64_t count;        /* LIST */
};

/* Embedded by whoever asks, who owns it again when `back` is called. Strings and `message` live
 * with the embedding object. */
struct home_req {
    struct mail mail;
    hb_done done;
    struct shard *at;     /* the shard whose thread runs it now */
    int from;             /* worker that asks */
    enum home_verb verb;
    struct home *home;
    hb_str room;
    hb_message *message;  /* PUBLISH: one reference, given back by the asker after `back` */
    hb_key key;           /* PUBLISH, LOOKUP: key.key absent when none */
    bool has_since;
    hb_pos since;
    size_t limit, max_bytes;
    bool quiet_limit;     /* JOIN: room_members does not apply (@USER, server-side joins) */
    struct home_presence *presence; /* of the presence verbs, and of a JOIN (or NULL) */

    hb_code code;
    bool unknown, duplicate, recovered, more;
    hb_pos pos;
    int64_t ts, members;
    hb_message **messages; /* owned with a reference each: home_req_finish */
    size_t n;

    void (*back)(struct home_req *req);
};

/* Send it on its way; `back` may be called before this returns. */
void home_send(struct shard *from, struct home_req *req);
/* One member less on this worker; nothing comes back. */
void home_leave(struct shard *from, hb_str room);
/* Free the messages of an answer. */
void home_req_finish(struct home_req *req);

int home_worker(const struct hub *hub, hb_str room);
/* Sessions that are members, all workers; -1 when the room has no home here. Home worker only. */
int64_t home_members(struct shard *s, hb_str room);
void homes_each(struct shard *s, void (*fn)(hb_str room, int64_t members, void *arg), void *arg);

/* Up to `limit` of the rooms at home here, in a fixed order of their own: those behind `after` (0: the
 * first). What to go on with is returned, 0 when these were the last. A few more than `limit` where
 * several have one place in that order. */
uint32_t homes_page(struct shard *s, uint32_t after, size_t limit,
    void (*fn)(hb_str room, int64_t members, void *arg), void *arg);

/* The configuration was replaced: each room follows its rule's new bounds from its next request on. */
void homes_reload(struct shard *s);

/* hb_ctx.local of the backend that holds this room. */
void *home_backend_local(const hb_room *room);
/* hb_store->deliver */
void home_deliver(hb_room *room, hb_message *message);
/* hb_store->lost */
void home_lost(hb_room *room);
/* hb_store->presence */
void home_presence_changed(hb_room *room, const hb_presence_event *ev);

/* Tell an event to the room's members on all workers of this node, in order with its messages; not
 * to `except` (0: to all). Home worker; nothing without a home. */
void home_tell(struct shard *s, hb_str room, const hb_event *ev, hb_sid except);

/* The in-process backend (room/memory.c): all of the room's stream in this worker's memory. */
extern const hb_backend memory_backend;
void *memory_create(struct shard *s);  /* hb_ctx.local of the in-process backend */
void memory_destroy(void *local);

#endif
