/*
 * POSTs to the backend by libcurl's multi interface, on the loop of the worker that owns the pool:
 * so many at once, so many behind them in order, each answered within its time, whatever the
 * backend does. No redirects, certificates are verified, answers are bounded. That worker's thread.
 */
#ifndef WEBHOOK_POOL_H
#define WEBHOOK_POOL_H

#include <hubbub/plugin.h>

struct pool;

enum fault {
    FAULT_NONE,
    FAULT_CONNECT,   /* no connection: resolving, connecting */
    FAULT_TLS,
    FAULT_TIMEOUT,
    FAULT_TOO_LARGE, /* the answer */
    FAULT_NETWORK,   /* it broke off, or is no HTTP */
    FAULT_STATUS,    /* an answer, of a status that says nothing */
    FAULT_ANSWER,    /* an answer that can't be read */
    FAULT_OVERLOAD,  /* too many wait already; not asked */
    FAULT_COUNT
};
const char *fault_name(enum fault f);

struct pool_settings {
    size_t concurrency, queue; /* under way, and waiting beyond those */
    int64_t response_size;
    const char *ca_file;       /* "": the system's; copied when used */
};

struct pool_post {
    const char *url;           /* copied */
    char *body;                /* adopted; for free() */
    size_t n;
    const char *id, *signature; /* copied */
    int64_t timestamp_s;
    int64_t timeout_ms;        /* for all of it, waiting included; the same for all that may wait */
    /* Once, within pool_send or later, unless the pool is destroyed before. `body` is borrowed. */
    void (*done)(const hb_ctx *ctx, void *arg, enum fault fault, int status, hb_str body);
    void *arg;
};

struct pool *pool_create(
    const hb_ctx *ctx, const struct pool_settings *settings); /* NULL without memory */
/* What is under way is dropped: `drop` (may be NULL) is called with each arg. NULL is fine. */
void pool_destroy(struct pool *p, void (*drop)(const hb_ctx *ctx, void *arg));
void pool_configure(struct pool *p, const struct pool_settings *settings);
bool pool_has_room(const struct pool *p);
size_t pool_pending(const struct pool *p);
/* False without room or memory: `done` won't be called, and the body is freed. */
bool pool_send(struct pool *p, const struct pool_post *post);

/* May this URL be used? https, or http to a loopback address, or any with plain_http. False with a
 * sentence. */
bool pool_allows(const char *url, bool plain_http, char *error, size_t error_size);

/* One POST that blocks, for the end of the process: the answer's status, or 0. */
int pool_post_blocking(const struct pool_settings *settings, const struct pool_post *post);

#endif
