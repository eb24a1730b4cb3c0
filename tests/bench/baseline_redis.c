/*
 * The least that a message through Redis can cost a node: one connection publishes, another is
 * subscribed, W messages are always on their way, and what one turn brings is answered by one
 * pipeline. Prints its own CPU time as one line of JSON; what hubbub's cost is compared with.
 *
 *     baseline_redis PORT SECONDS WINDOW BYTES
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static redisContext *publisher, *subscriber;
static char payload[65536];
static size_t payload_bytes;
static unsigned long received, window;

static void die(const char *what)
{
    fprintf(stderr, "baseline_redis: %s\n", what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static redisContext *connect_to(int port)
{
    redisContext *c = redisConnect("127.0.0.1", port);
    if (!c || c->err)
        die("no connection");
    return c;
}

static void publish(unsigned long n)
{
    const char *words[] = {"PUBLISH", "channel", payload};
    size_t lengths[] = {7, 7, payload_bytes};
    while (n-- > 0)
        redisAppendCommandArgv(publisher, 3, words, lengths);
    for (int done = 0; !done;)
        if (redisBufferWrite(publisher, &done) != REDIS_OK)
            die("the connection ended");
}

/* How many answers or pushes have come; epoll said that there is something. */
static unsigned long take(redisContext *c)
{
    unsigned long n = 0;
    void *reply;
    if (redisBufferRead(c) != REDIS_OK)
        die("the connection ended");
    while (redisGetReplyFromReader(c, &reply) == REDIS_OK && reply) {
        if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
            die(((redisReply *)reply)->str);
        freeReplyObject(reply);
        n++;
    }
    return n;
}

static void watch(int epoll_fd, redisContext *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("PORT SECONDS WINDOW BYTES");
    double end = seconds(CLOCK_MONOTONIC) + atof(argv[2]);
    window = strtoul(argv[3], NULL, 10);
    payload_bytes = strtoul(argv[4], NULL, 10);
    if (payload_bytes > sizeof(payload))
        die("too many bytes");
    memset(payload, 'x', payload_bytes);
    publisher = connect_to(atoi(argv[1]));
    subscriber = connect_to(atoi(argv[1]));
    freeReplyObject(redisCommand(subscriber, "SUBSCRIBE channel"));
    int epoll_fd = epoll_create1(0);
    watch(epoll_fd, publisher);
    watch(epoll_fd, subscriber);
    double began = seconds(CLOCK_PROCESS_CPUTIME_ID);
    publish(window);
    while (seconds(CLOCK_MONOTONIC) < end) {
        struct epoll_event events[2];
        unsigned long got = 0;
        int n = epoll_wait(epoll_fd, events, 2, 1000);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr == subscriber)
                got = take(subscriber);
            else
                take(publisher);
        received += got;
        publish(got);
    }
    printf("{\"messages\":%lu,\"cpuUs\":[%.1f]}\n", received, (seconds(CLOCK_PROCESS_CPUTIME_ID) - began) * 1e6);
    return 0;
}
