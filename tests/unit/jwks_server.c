#include "jwks_server.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static int listener, status, hits;
static char *body, url[64];
static bool held, stopping;

static void answer(int fd)
{
    char request[2048], *response = NULL;
    if (read(fd, request, sizeof(request)) <= 0)
        return;
    pthread_mutex_lock(&lock);
    hits++;
    pthread_cond_broadcast(&changed);
    while (held && !stopping)
        pthread_cond_wait(&changed, &lock);
    int n = asprintf(&response,
        "HTTP/1.1 %d Whatever\r\nLocation: %s/elsewhere\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n%s",
        status, url, strlen(body), body);
    pthread_mutex_unlock(&lock);
    for (int sent = 0; sent < n;) {
        ssize_t k = send(fd, response + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (k <= 0)
            break;
        sent += (int)k;
    }
    free(response);
}

static void *serve(void *arg)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        answer(fd);
        close(fd);
    }
    return NULL;
}

void jwks_server_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) || listen(listener, 16) ||
        getsockname(listener, (struct sockaddr *)&a, &n))
        abort();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/keys", ntohs(a.sin_port));
    hits = 0;
    held = stopping = false;
    jwks_server_answer(200, "{\"keys\":[]}");
    pthread_create(&thread, NULL, serve, NULL);
}

void jwks_server_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    free(body);
    body = NULL;
}

const char *jwks_server_url(void)
{
    return url;
}

void jwks_server_answer(int new_status, const char *new_body)
{
    pthread_mutex_lock(&lock);
    free(body);
    body = strdup(new_body);
    status = new_status;
    pthread_mutex_unlock(&lock);
}

void jwks_server_hold(bool hold)
{
    pthread_mutex_lock(&lock);
    held = hold;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int jwks_server_hits(void)
{
    pthread_mutex_lock(&lock);
    int n = hits;
    pthread_mutex_unlock(&lock);
    return n;
}

bool jwks_server_wait_hits(int n)
{
    struct timespec t;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 10;
    pthread_mutex_lock(&lock);
    while (hits < n && rc == 0)
        rc = pthread_cond_timedwait(&changed, &lock, &t);
    bool ok = hits >= n;
    pthread_mutex_unlock(&lock);
    return ok;
}
