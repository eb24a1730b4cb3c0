#include "resolve.h"
#include "mem.h"
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct question {
    const hb_ctx *ctx;
    int worker, port;
    char host[256];
    resolve_done *done;
    void *owner;
    struct sockaddr_storage to;
    socklen_t n;             /* 0: none */
};

static atomic_int under_way;

static bool ask(struct question *q, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found;
    char port[8];
    snprintf(port, sizeof(port), "%d", q->port);
    if (getaddrinfo(q->host, port, &hints, &found) != 0)
        return false;
    memcpy(&q->to, found->ai_addr, found->ai_addrlen);
    q->n = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void answer(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    q->done(q->owner, q->n ? (struct sockaddr *)&q->to : NULL, q->n);
    free(q);
}

static void *run(void *arg)
{
    struct question *q = arg;
    ask(q, 0);
    q->ctx->host->post(q->ctx, q->worker, answer, q);
    atomic_fetch_sub(&under_way, 1);
    return NULL;
}

void resolve(const hb_ctx *ctx, const char *host, int port, resolve_done *done, void *owner)
{
    pthread_t thread;
    pthread_attr_t attr;
    struct question *q = mem_zalloc(sizeof(*q));
    *q = (struct question){.ctx = ctx, .worker = ctx->worker, .port = port, .done = done, .owner = owner};
    snprintf(q->host, sizeof(q->host), "%s", host);
    if (ask(q, AI_NUMERICHOST)) {
        answer(ctx, q);
        return;
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&under_way, 1);
    if (pthread_create(&thread, &attr, run, q) != 0) {
        atomic_fetch_sub(&under_way, 1);
        answer(ctx, q);
    }
    pthread_attr_destroy(&attr);
}

void resolve_finish(void)
{
    const struct timespec pause = {0, 10000000};
    while (atomic_load(&under_way) > 0)
        nanosleep(&pause, NULL);
}
