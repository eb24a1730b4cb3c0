/*
 * The least that a fan-out server can do: what hubbub's cost per delivery is compared with. A client
 * that says 'M' is a member and is answered 'k'; one that says 'P' publishes frames of frame_bytes,
 * each of which goes to every member. What one read brings goes to each member in one send.
 *
 *     baseline_fanout PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 1024, MEMBERS_MAX = 20000, BATCH_BYTES = FRAME_MAX * 512, EVENTS = 256 };

static size_t frame_bytes = 132;

static int epoll_fd, members[MEMBERS_MAX], member_count, publisher = -1;
static char batch[BATCH_BYTES];
static size_t batch_length;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(fd);
}

/* A member whose buffer is full would falsify the comparison: the load leaves few outstanding. */
static void send_all(size_t length)
{
    for (int i = 0; i < member_count; i++)
        if (send(members[i], batch, length, MSG_NOSIGNAL) != (ssize_t)length && errno != EPIPE &&
            errno != ECONNRESET)
            die("send");
}

static void read_publisher(void)
{
    ssize_t n = recv(publisher, batch + batch_length, sizeof(batch) - batch_length, 0);
    if (n <= 0)
        exit(0);
    batch_length += n;
    size_t whole = batch_length - batch_length % frame_bytes;
    send_all(whole);
    batch_length -= whole;
    memmove(batch, batch + whole, batch_length);
}

static void introduce(int fd)
{
    char who;
    ssize_t n = recv(fd, &who, 1, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(fd);
    } else if (who == 'P') {
        publisher = fd;
    } else if (member_count < MEMBERS_MAX) {
        members[member_count++] = fd;
        if (send(fd, "k", 1, MSG_NOSIGNAL) != 1)
            close(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2)
        frame_bytes = (size_t)atoi(argv[2]);
    if (argc < 2 || frame_bytes < 16 || frame_bytes > FRAME_MAX) {
        fprintf(stderr, "usage: baseline_fanout PORT [FRAME_BYTES]\n");
        return 2;
    }
    int listener = listen_on(atoi(argv[1]));
    epoll_fd = epoll_create1(0);
    watch(listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener);
            else if (events[i].data.fd == publisher)
                read_publisher();
            else
                introduce(events[i].data.fd);
        }
    }
}
