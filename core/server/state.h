/*
 * The process's state as the files of server/ share it. What is not atomic belongs to the control
 * thread, or does not change while workers run.
 */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "server/libh2o.h"

#include "server/peers.h"
#include "server/server.h"

enum { WORKERS_MAX = 64, LISTENERS_MAX = 32 };

struct worker;
struct site;

struct server {
    struct hub hub;
    struct config *config;       /* the one in force; owned */
    struct config *first_config; /* modules may point into the one they were loaded with; owned */
    struct modules *modules;
    struct metrics *metrics;
    struct peers *peers;
    struct worker *workers[WORKERS_MAX + 1]; /* the control thread's behind the others */
    int n_workers;
    _Atomic int64_t connections; /* that count against limits.connections */
    _Atomic size_t body_max;     /* the largest body that some transport wants */
    _Atomic int state;           /* enum server_state */
    uint64_t started_ms;
    uint64_t stuck_workers;
    struct site_kept {           /* the newest is the one in force */
        struct site *site;
        struct site_kept *before;
    } *sites;
    server_admin_fn *admin;
    server_judge_fn *judge;
    server_lifecycle_fn *lifecycle;
};

/* Control thread: make the files of a configuration the ones in force. */
void server_use_site(struct server *s, const struct config *config);

extern struct server server;

static inline enum server_state server_state(void)
{
    return (enum server_state)atomic_load_explicit(&server.state, memory_order_relaxed);
}

#endif
