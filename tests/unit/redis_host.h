/*
 * A host for workers of the redis plugin: messages, one clock for all that a test moves, and
 * sockets whose other ends the test holds instead of a Redis. Chance is the test's too: from one
 * seed all goes the same way. Several workers at once are several nodes.
 */
#ifndef TESTS_REDIS_HOST_H
#define TESTS_REDIS_HOST_H

#include "../../plugins/redis/worker.h"

enum { REDIS_NODES_MAX = 4, REDIS_TEXT_MAX = 64 };

/* A worker, alone on its node. */
struct redis_node {
    hb_ctx ctx;
    struct options options;
    struct shared shared;
    uint32_t number;
};

/* A message of this host: counted, with a copy of its data. */
struct redis_text {
    hb_message m;
    int refs;
    char data[REDIS_TEXT_MAX];
};

/* What the plugin tells; NULL: nobody listens. */
struct redis_listener {
    void (*deliver)(hb_room *room, hb_message *m);
    void (*lost)(hb_room *room);
    void (*presence)(hb_room *room, const hb_presence_event *ev);
    void (*heard)(const hb_ctx *ctx, hb_str bytes);
    void (*kept)(const hb_ctx *ctx, bool whole);
    /* The other end of a new connection of that node, owned; `pipe`: for commands. */
    void (*connected)(struct redis_node *node, int fd, bool pipe);
};
extern struct redis_listener redis_listener;
extern uint64_t redis_now; /* ms */
extern size_t redis_texts;   /* messages that are held by anybody */
extern bool redis_refuses; /* new connections are closed at once */
extern int redis_worker;   /* which one of its node the next to start is: 0, the first, listens to other nodes */

extern hb_strings redis_sentinels; /* which the next to start asks; none: it goes to Redis by itself */
extern const struct link *redis_connecting; /* in `connected`: whose connection it is */

void redis_seed(uint64_t seed);
/* From 0 to n-1. */
uint64_t redis_random(uint64_t n);

/* Its connections are under way when this returns. */
void redis_node_start(struct redis_node *node, uint32_t number);
void redis_node_stop(struct redis_node *node);
const hb_backend *redis_backend(void);
hb_message *redis_message(hb_str data); /* one reference */
void redis_unref(hb_message *m);

/* All that is due and all that has arrived, until there is no more of it. */
void redis_turn(void);
void redis_advance(uint64_t ms);

#endif
