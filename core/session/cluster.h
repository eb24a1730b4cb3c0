/*
 * The other nodes, where a backend joins them: who they are, and what they tell each other besides
 * messages. What comes from there is checked here; what it means is a function for each kind.
 */
#ifndef SESSION_CLUSTER_H
#define SESSION_CLUSTER_H

#include "out/shard.h"

struct revocation;

enum cluster_kind {
    CLUSTER_BEACON,    /* who I am: name, JSON */
    CLUSTER_ORDER,     /* cluster_order */
    CLUSTER_REVOKE,    /* token id, user, issued before, until */
    CLUSTER_SEND,      /* to many sessions (send.c): event, data, space, room; who asks, and for how long */
    CLUSTER_MEMBER,    /* join or leave, room, session, user (session/member.h) */
    CLUSTER_REQUEST,   /* a request for a session there (server/remote.c) */
    CLUSTER_ANSWER,    /* and its answer */
    CLUSTER_PORTION,   /* who asked many: shard, number, node, complete or not, values (survey.h) */
    CLUSTER_KINDS
};

enum { CLUSTER_FIELDS_MAX = 16, CLUSTER_NODES_MAX = 256 };

/* Borrowed fields, absent ones {NULL, 0}; on the worker that heard it. */
typedef void cluster_fn(struct shard *s, const hb_str *fields, size_t n);

/* For the kinds of higher ranks: before the first worker runs. */
void cluster_on(enum cluster_kind kind, cluster_fn *fn);
/* To all other nodes (0) or one; any thread. Nothing without a backend that has other nodes. */
void cluster_cast(struct hub *hub, uint32_t node, enum cluster_kind kind, const hb_str *fields, size_t n);
/* To all of them for sure, also those that are away now or come later, until then (0: for good): what it
 * says may be heard again, and late. At most 2048 bytes. */
void cluster_keep(struct hub *hub, enum cluster_kind kind, const hb_str *fields, size_t n, int64_t until_ms);
/* hb_store->heard */
void cluster_heard(struct shard *s, hb_str bytes);
bool cluster_is(const struct hub *hub);
/* A node's number: the one in its tickets. */
uint32_t cluster_self(const struct hub *hub);
/* Was that node heard of lately? Any thread. */
bool cluster_knows(uint32_t node);
/* Their numbers; how many. Any thread. */
size_t cluster_nodes(uint32_t numbers[static CLUSTER_NODES_MAX]);
/* The JSON of each of them. Any thread. */
void cluster_each(void (*fn)(hb_str json, void *arg), void *arg);

/* What the admin API does to sessions, wherever they are. */
enum cluster_what { CLUSTER_KICK, CLUSTER_JOIN, CLUSTER_LEAVE };
/* id or user; to the other nodes. Who is to be disconnected is found for a minute, on a node that was away
 * too, if it came before the order. */
void cluster_order(struct hub *hub, enum cluster_what what, hb_str id, hb_str user, hb_str room);
cluster_fn cluster_on_order, cluster_on_revoke, cluster_on_send, cluster_on_portion, cluster_on_member;
void cluster_revoke(struct hub *hub, const struct revocation *what);

#endif
