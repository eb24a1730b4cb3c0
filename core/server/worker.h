/*
 * A worker: one thread, one event loop, one shard. The control thread is one too, with the admin
 * listener and no sessions. Everything here belongs to the worker's thread but what is atomic and
 * the mailbox.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "server/state.h"

#include "base/map.h"
#include "server/site.h"
#include <pthread.h>

enum { WORKER_SCRATCH = 64 * 1024, WORKER_WAIT_MS = 500 };

struct listener {
    h2o_accept_ctx_t accept;
    struct worker *worker;
    h2o_socket_t *sock;          /* NULL: closed */
    int index;                   /* among the configured; -1: the admin listener */
    bool proxy_protocol, paused;
};

struct worker {
    struct shard shard;
    struct server *server;
    pthread_t thread;
    bool started;                /* the thread runs */
    h2o_globalconf_t conf;       /* of its own: max_request_entity_size changes */
    h2o_hostconf_t *host;
    h2o_context_t context;
    h2o_handler_t *handler;
    struct listener listeners[LISTENERS_MAX];
    int n_listeners;
    struct timer resume;         /* listeners paused for want of descriptors */
    int reserve_fd;              /* given up to accept and refuse one more */
    int wake_fd;
    h2o_socket_t *wake;
    struct list conns;           /* struct conn, all */
    struct list resumed;         /* struct conn: to be read on at the end of this turn */
    size_t n_conns, n_refused;
    struct conn *reading;        /* whose bytes are being handled; NULL when it goes meanwhile */
    struct map watches;          /* fd → struct watch */
    struct watch *watching;      /* whose callback runs */
    const struct site *site;     /* files served; replaced by a reload */
    struct timer lag;
    uint64_t lag_due_us;
    bool stop;                   /* leave the loop after this turn */
    _Atomic uint64_t turned_ms;  /* when this worker last came round; 0: not running */
    _Atomic size_t sessions;     /* as of the last turn */
    char *scratch;               /* WORKER_SCRATCH bytes to read into */
};

/* The worker whose thread this is. */
extern _Thread_local struct worker *worker_self;

/* Any thread may make one; the rest is the worker's own thread's. */
struct worker *worker_create(struct server *server, int index);
void worker_destroy(struct worker *w);
/* For the control thread: bind it to the worker and make its loop; a turn of it; end all its
 * connections while what their owners need still stands; end the loop. */
void worker_open(struct worker *w);
void worker_turn(struct worker *w);
void worker_end_connections(struct worker *w);
void worker_close(struct worker *w);
/* Start and join a thread that does all three, with the modules' and stages' share between them.
 * False when it did not come up: that is logged. */
bool worker_start(struct worker *w);
/* After it was told to stop. One that is stuck takes the process with it. */
void worker_join(struct worker *w);
/* Any thread: let it run `fn` between turns, on its thread. */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

static inline struct worker *worker_of(const struct shard *shard)
{
    return shard->worker;
}

#endif
