/*
 * The load of the benchmarks: opens N connections, each a member of a room, and keeps W messages
 * outstanding for some seconds: a message is done when every member has it, then the next one goes
 * out. Checks that each member gets every message in order, and prints what it counted, and what
 * CPU time the servers took meanwhile, as one line of JSON.
 *
 *     load --port P[,P…] [--raw] [--socketio] [--path /hub/ws] [--members N] [--tokens FILE]
 * [--per-room K]
 *          [--rooms R] [--window W] [--seconds S] [--size BYTES] [--pid SERVER[,PID…]] [--spin]
 *          [--idle]
 *
 * --raw: against baseline_fanout. --socketio: Socket.IO packets instead of hubbub's own ops.
 * --keys: each publish has a key, as the client library gives it (not with the two above).
 * --tokens: a line each, taken in turn. --per-room: members i*K to i*K+K-1 share room "bench-i"
 * (default: all in "bench-0"). --rooms: messages go to rooms "bench-0" to "bench-(R-1)" in turn
 * (default 1). Several ports: members take them in turn, each has a publisher, each room's messages
 * come from one of them.
 * --spin: never sleeps, so that no send of the server has to wake it up.
 * --idle: publishes nothing; says "ready" when all have joined and keeps the connections until
 * stdin ends.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENING_MAX = 128, /* connections on their way at one time */
    WINDOW_MAX = 1024,
    SERVERS_MAX = 8,
    STALL_MS = 15000,
    EVENTS = 512
};

enum state { CLOSED, CONNECTING, UPGRADING, WELCOMING, JOINING, READY };

struct connection {
    int fd;
    enum state state;
    bool publisher;
    uint64_t next_seq; /* what it must get next */
    char *out;         /* a publisher's frames of this turn: they go out together */
    size_t out_bytes, out_size;
    char *held; /* the start of a frame whose rest has not come */
    size_t held_bytes;
};

static struct {
    int members, window, seconds, size, per_room, rooms;
    long ports[SERVERS_MAX], pids[SERVERS_MAX];
    int port_count, pid_count;
    bool raw, idle, socketio, spin, keys;
    const char *path;
} options = {
    .members = 1000, .rooms = 1, .window = 1, .seconds = 5, .size = 128, .path = "/hub/ws"};

static char **tokens;
static size_t token_count;
static struct connection *connections; /* the members, then the publishers */
static int connection_count, opened, ready, epoll_fd;
static char input[1 << 18];

static bool publishing;
static uint64_t published, done, deliveries, delivered_bytes;
static uint32_t receivers;           /* of each message */
static uint32_t arrived[WINDOW_MAX]; /* members that have message seq, by seq % WINDOW_MAX */
static uint64_t sent_ns[WINDOW_MAX];
static uint64_t latency_sum_ns, latency_max_ns;
static float *latencies_us; /* of every message, until the last member had it */
static size_t latency_size;

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "load: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void send_now(struct connection *c, const char *bytes, size_t n)
{
    ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
    if (sent != (ssize_t)n)
        die("could not send %zu bytes at once: %s", n, sent < 0 ? strerror(errno) : "short");
}

static void send_bytes(struct connection *c, const char *bytes, size_t n)
{
    if (!c->publisher || !publishing) {
        send_now(c, bytes, n);
        return;
    }
    if (c->out_bytes + n > c->out_size) {
        c->out_size = (c->out_bytes + n) * 2;
        if (!(c->out = realloc(c->out, c->out_size)))
            die("no memory");
    }
    memcpy(c->out + c->out_bytes, bytes, n);
    c->out_bytes += n;
}

/* One masked frame; the mask is zero, which leaves the payload as it is. */
static void send_frame(struct connection *c, int opcode, const char *payload, size_t n)
{
    char frame[8 + 65536];
    size_t head = n < 126 ? 2 : 4;
    if (n > 65535)
        die("frame too long");
    frame[0] = (char)(0x80 | opcode);
    frame[1] = (char)(0x80 | (n < 126 ? n : 126));
    if (head == 4) {
        frame[2] = (char)(n >> 8);
        frame[3] = (char)n;
    }
    memset(frame + head, 0, 4);
    memcpy(frame + head + 4, payload, n);
    send_bytes(c, frame, head + 4 + n);
}

/* The bare program sends on what it gets: so this is the frame that hubbub would make of a publish,
 * with size bytes of payload, and the members' work is the same. */
static void publish_raw(struct connection *publisher, uint64_t seq)
{
    char frame[4 + 65536];
    int size = options.size;
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = (char)(size >> 8);
    frame[3] = (char)size;
    memset(frame + 4, 'x', size);
    int n = snprintf(frame + 4, size,
        "{\"type\":\"message\",\"room\":\"bench-0\",\"event\":\"message\",\"data\":\"%012llu",
        (unsigned long long)seq);
    frame[4 + n] = 'x';
    memcpy(frame + 4 + size - 2, "\"}", 2);
    send_bytes(publisher, frame, 4 + size);
}

static void publish(void)
{
    int slot = published % WINDOW_MAX, room = published % options.rooms;
    struct connection *publisher = &connections[options.members + room % options.port_count];
    char data[65536];
    snprintf(data, sizeof(data), "%012llu", (unsigned long long)published);
    memset(data + 12, 'x', options.size - 12);
    arrived[slot] = 0;
    sent_ns[slot] = now_ns();
    published++;
    if (options.raw) {
        publish_raw(publisher, published - 1);
        return;
    }
    char op[66000];
    int n = snprintf(op, sizeof(op),
        options.socketio ? "42[\"message\",{\"roomId\":\"bench-%d\",\"data\":\"%.*s\"}]"
                         : "{\"type\":\"publish\",\"room\":\"bench-%d\",\"data\":\"%.*s\"}",
        room, options.size, data);
    if (options.keys)
        n += snprintf(op + n - 1, sizeof(op) - n, ",\"key\":\"%llu\"}", (unsigned long long)published) - 1;
    send_frame(publisher, 1, op, n);
}

static void fill_window(void)
{
    while (publishing && published - done < (uint64_t)options.window &&
           arrived[published % WINDOW_MAX] == receivers)
        publish();
    for (struct connection *c = connections + options.members; c < connections + connection_count;
         c++) {
        if (c->out_bytes)
            send_now(c, c->out, c->out_bytes);
        c->out_bytes = 0;
    }
}

static void note_latency(uint64_t ns)
{
    if (done == latency_size) {
        latency_size = latency_size ? latency_size * 2 : 4096;
        if (!(latencies_us = realloc(latencies_us, latency_size * sizeof(*latencies_us))))
            die("no memory");
    }
    latencies_us[done++] = (float)(ns / 1e3);
    latency_sum_ns += ns;
    latency_max_ns = ns > latency_max_ns ? ns : latency_max_ns;
}

static int rising(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double latency_quantile_us(double q)
{
    qsort(latencies_us, done, sizeof(*latencies_us), rising);
    return done ? latencies_us[(size_t)((double)(done - 1) * q)] : 0;
}

static void deliver(struct connection *c, const char *digits, size_t bytes)
{
    char number[13] = "";
    memcpy(number, digits, 12);
    uint64_t seq = strtoull(number, NULL, 10);
    if (seq != c->next_seq)
        die("member %d got message %llu, expected %llu", (int)(c - connections),
            (unsigned long long)seq, (unsigned long long)c->next_seq);
    c->next_seq += options.rooms;
    deliveries++;
    delivered_bytes += bytes;
    int slot = seq % WINDOW_MAX;
    if (++arrived[slot] < receivers)
        return;
    note_latency(now_ns() - sent_ns[slot]);
}

static void become_ready(struct connection *c)
{
    c->state = READY;
    ready++;
}

static void join(struct connection *c)
{
    char op[128];
    int room = options.per_room ? (int)(c - connections) / options.per_room : 0;
    c->next_seq = room;
    int n = snprintf(op, sizeof(op),
        options.socketio ? "421[\"join-room\",\"bench-%d\"]"
                         : "{\"type\":\"join\",\"id\":1,\"room\":\"bench-%d\"}",
        room);
    c->state = JOINING;
    send_frame(c, 1, op, n);
}

static bool contains(const char *text, size_t n, const char *what)
{
    return memmem(text, n, what, strlen(what)) != NULL;
}

static void start_or_join(struct connection *c)
{
    if (c->publisher)
        become_ready(c);
    else
        join(c);
}

static const char *token_of(const struct connection *c)
{
    return token_count ? tokens[(c - connections) % token_count] : NULL;
}

/* The main namespace of Socket.IO, with the token as clients have it. */
static void enter(struct connection *c)
{
    char packet[8192];
    const char *token = token_of(c);
    int n = snprintf(packet, sizeof(packet), "40%s%s%s", token ? "{\"token\":\"" : "",
        token ? token : "", token ? "\"}" : "");
    send_frame(c, 1, packet, n);
}

static void on_packet(struct connection *c, const char *text, size_t n)
{
    static const char data[] = "\"data\":\"", message[] = "42[\"message\",";
    if (c->state == READY && n > sizeof(message) && !memcmp(text, message, sizeof(message) - 1)) {
        const char *at = memmem(text, n, data, sizeof(data) - 1);
        if (!at)
            die("a message without our data: %.*s", (int)n, text);
        deliver(c, at + sizeof(data) - 1, n);
    } else if (n == 1 && *text == '2') {
        send_frame(c, 1, "3", 1);
    } else if (n > 1 && *text == '0') {
        enter(c);
    } else if (n > 1 && !memcmp(text, "40", 2)) {
        start_or_join(c);
    } else if (n > 3 && !memcmp(text, "431", 3)) {
        if (contains(text, n, "\"ok\":false"))
            die("the server says: %.*s", (int)n, text);
        become_ready(c);
    }
}

static void on_text(struct connection *c, const char *text, size_t n)
{
    static const char data[] = "\"data\":\"";
    const char *at;
    if (options.socketio) {
        on_packet(c, text, n);
    } else if (c->state == READY && contains(text, n < 32 ? n : 32, "\"type\":\"message\"")) {
        at = memmem(text, n, data, sizeof(data) - 1);
        if (!at || text + n - at < (ptrdiff_t)sizeof(data) + 12)
            die("a message without our data: %.*s", (int)n, text);
        deliver(c, at + sizeof(data) - 1, n);
    } else if (contains(text, n, "\"type\":\"error\"") || contains(text, n, "\"ok\":false") ||
               contains(text, n, "\"type\":\"bye\"")) {
        die("the server says: %.*s", (int)n, text);
    } else if (c->state == WELCOMING && contains(text, n, "\"type\":\"welcome\"")) {
        start_or_join(c);
    } else if (c->state == JOINING && contains(text, n, "\"type\":\"reply\"")) {
        become_ready(c);
    }
}

static void on_frame(struct connection *c, int opcode, const char *payload, size_t n)
{
    if (opcode == 1)
        on_text(c, payload, n);
    else if (opcode == 9)
        send_frame(c, 10, payload, n);
    else if (opcode == 8)
        die("closed with %d", n < 2 ? 0 : (uint8_t)payload[0] << 8 | (uint8_t)payload[1]);
}

/* Takes one frame off the front; 0: it is not all there. */
static size_t take_frame(struct connection *c, const char *bytes, size_t n)
{
    const uint8_t *b = (const uint8_t *)bytes;
    if (n < 2)
        return 0;
    size_t head = b[1] < 126 ? 2 : b[1] == 126 ? 4 : 10, length = b[1];
    if (n < head)
        return 0;
    if (head > 2) {
        length = 0;
        for (size_t i = 2; i < head; i++)
            length = length << 8 | b[i];
    }
    if (n < head + length)
        return 0;
    on_frame(c, b[0] & 15, bytes + head, length);
    return head + length;
}

static size_t take_upgrade(struct connection *c, const char *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (n < 12 || memcmp(bytes, "HTTP/1.1 101", 12) != 0)
        die("the upgrade was refused: %.*s", (int)n, bytes);
    c->state = WELCOMING;
    return end + 4 - bytes;
}

static size_t take(struct connection *c, const char *bytes, size_t n)
{
    if (options.raw && c->state != READY) {
        become_ready(c);
        return 1;
    }
    return c->state == UPGRADING ? take_upgrade(c, bytes, n) : take_frame(c, bytes, n);
}

static void hold(struct connection *c, const char *bytes, size_t n)
{
    c->held_bytes = n;
    if (n == 0)
        return;
    c->held = realloc(c->held, n);
    if (!c->held)
        die("no memory");
    memcpy(c->held, bytes, n);
}

static void on_readable(struct connection *c)
{
    memcpy(input, c->held ? c->held : "", c->held_bytes);
    ssize_t got = recv(c->fd, input + c->held_bytes, sizeof(input) - c->held_bytes, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("member %d was disconnected", (int)(c - connections));
    size_t n = c->held_bytes + got, used = 0, step;
    while (used < n && (step = take(c, input + used, n - used)) > 0)
        used += step;
    hold(c, input + used, n - used);
}

static int port_of(const struct connection *c)
{
    int i = (int)(c - connections);
    return (int)options.ports[(c->publisher ? i - options.members : i) % options.port_count];
}

static void greet(struct connection *c)
{
    if (options.raw) {
        send_bytes(c, c->publisher ? "P" : "M", 1);
        c->state = WELCOMING;
        if (c->publisher)
            become_ready(c);
        return;
    }
    char request[8192];
    const char *token = options.socketio ? NULL : token_of(c);
    int n = snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "%s%s%s\r\n",
        options.path, port_of(c), token ? "Authorization: Bearer " : "", token ? token : "",
        token ? "\r\n" : "");
    send_bytes(c, request, n);
    c->state = UPGRADING;
}

static void on_connected(struct connection *c)
{
    int error = 0, on = 1;
    socklen_t length = sizeof(error);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error)
        die("connect: %s", strerror(error));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    greet(c);
}

static void open_connection(struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(port_of(c)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->state = CONNECTING;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

/* What happened, none after STALL_MS. By --spin it does not sleep meanwhile: a send to a reader
 * that sleeps wakes it up at the sender's cost, and the slower a server is the more of its sends
 * do. */
static int wait_events(struct epoll_event *events)
{
    if (!options.spin)
        return epoll_wait(epoll_fd, events, EVENTS, STALL_MS);
    uint64_t end = now_ns() + STALL_MS * 1000000ull;
    int n;
    while ((n = epoll_wait(epoll_fd, events, EVENTS, 0)) == 0 && now_ns() < end)
        ;
    return n;
}

/* One turn of the loop; false when nothing happened for STALL_MS. */
static bool turn(void)
{
    struct epoll_event events[EVENTS];
    int n = wait_events(events);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->state == CONNECTING)
            on_connected(c);
        else
            on_readable(c);
    }
    return n != 0;
}

static void open_all(void)
{
    while (ready < connection_count) {
        while (opened < connection_count && opened - ready < OPENING_MAX)
            open_connection(&connections[opened++]);
        if (!turn())
            die("%d of %d connections became ready, then nothing", ready, connection_count);
    }
}

/* Precise CPU time of all threads of a process. */
static uint64_t cpu_ns(long pid)
{
    char path[300], text[128];
    unsigned long long ns, sum = 0;
    snprintf(path, sizeof(path), "/proc/%ld/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        die("%s: %s", path, strerror(errno));
    for (struct dirent *task; (task = readdir(tasks));) {
        snprintf(path, sizeof(path), "/proc/%ld/task/%.20s/schedstat", pid, task->d_name);
        FILE *f = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f && fgets(text, sizeof(text), f) && sscanf(text, "%llu", &ns) == 1)
            sum += ns;
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return sum;
}

struct cpu {
    double user, system;
};

/* utime and stime of the server, fields 14 and 15 of its stat; the name may hold anything but ')'.
 */
static struct cpu server_cpu(void)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    struct cpu none = {0, 0};
    if (!options.pid_count)
        return none;
    snprintf(path, sizeof(path), "/proc/%ld/stat", options.pids[0]);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        die("%s: %s", path, strerror(errno));
    text[n] = 0;
    const char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
            &system) != 2)
        die("%s: not understood", path);
    double hz = sysconf(_SC_CLK_TCK);
    return (struct cpu){user / hz, system / hz};
}

static void run_load(void)
{
    struct cpu before = server_cpu();
    uint64_t precise[SERVERS_MAX];
    for (int i = 0; i < options.pid_count; i++)
        precise[i] = cpu_ns(options.pids[i]);
    uint64_t start = now_ns(), end = start + options.seconds * 1000000000ull;
    publishing = true;
    fill_window();
    while (done < published) {
        if (!turn())
            die("%llu of %llu messages were delivered to all, then nothing",
                (unsigned long long)done, (unsigned long long)published);
        publishing = now_ns() < end;
        fill_window();
    }
    double seconds = (now_ns() - start) / 1e9;
    struct cpu after = server_cpu();
    for (int i = 0; i < options.pid_count; i++)
        precise[i] = cpu_ns(options.pids[i]) - precise[i];
    printf("{\"deliveries\":%llu,\"messages\":%llu,\"bytes\":%llu,\"seconds\":%.3f,"
           "\"user\":%.2f,\"system\":%.2f,\"lastMeanUs\":%.1f,\"lastP50Us\":%.1f,"
           "\"lastP99Us\":%.1f,\"lastMaxUs\":%.1f,\"cpuUs\":[",
        (unsigned long long)deliveries, (unsigned long long)done,
        (unsigned long long)delivered_bytes, seconds, after.user - before.user,
        after.system - before.system, done ? latency_sum_ns / 1e3 / done : 0.0,
        latency_quantile_us(0.5), latency_quantile_us(0.99), latency_max_ns / 1e3);
    for (int i = 0; i < options.pid_count; i++)
        printf("%s%.1f", i ? "," : "", precise[i] / 1e3);
    printf("]}\n");
}

static void stay_idle(void)
{
    printf("ready\n");
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("stdin: %s", strerror(errno));
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                return;
            on_readable(events[i].data.ptr);
        }
    }
}

static void read_tokens(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    if (!file)
        die("%s: %s", path, strerror(errno));
    while ((n = getline(&line, &size, file)) > 0) {
        line[strcspn(line, "\n")] = 0;
        tokens = realloc(tokens, (token_count + 1) * sizeof(*tokens));
        if (!tokens || !(tokens[token_count++] = strdup(line)))
            die("no memory");
    }
    free(line);
    fclose(file);
}

static int read_numbers(const char *text, long *out)
{
    int n = 0;
    for (char *end; *text && n < SERVERS_MAX; text = *end ? end + 1 : end)
        out[n++] = strtol(text, &end, 10);
    return n;
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"port", 1, NULL, 'p'}, {"path", 1, NULL, 'P'},
        {"members", 1, NULL, 'n'}, {"tokens", 1, NULL, 't'}, {"per-room", 1, NULL, 'k'},
        {"window", 1, NULL, 'w'}, {"seconds", 1, NULL, 's'}, {"size", 1, NULL, 'b'},
        {"pid", 1, NULL, 'i'}, {"rooms", 1, NULL, 'R'}, {"raw", 0, NULL, 'r'},
        {"socketio", 0, NULL, 'S'}, {"idle", 0, NULL, 'I'}, {"spin", 0, NULL, 'N'},
        {"keys", 0, NULL, 'K'},
        {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'p':
            options.port_count = read_numbers(optarg, options.ports);
            break;
        case 'P':
            options.path = optarg;
            break;
        case 'n':
            options.members = atoi(optarg);
            break;
        case 't':
            read_tokens(optarg);
            break;
        case 'k':
            options.per_room = atoi(optarg);
            break;
        case 'w':
            options.window = atoi(optarg);
            break;
        case 's':
            options.seconds = atoi(optarg);
            break;
        case 'b':
            options.size = atoi(optarg);
            break;
        case 'i':
            options.pid_count = read_numbers(optarg, options.pids);
            break;
        case 'R':
            options.rooms = atoi(optarg);
            break;
        case 'r':
            options.raw = true;
            break;
        case 'K':
            options.keys = true;
            break;
        case 'S':
            options.socketio = true;
            break;
        case 'I':
            options.idle = true;
            break;
        case 'N':
            options.spin = true;
            break;
        default:
            exit(2);
        }
    if (!options.port_count || options.members < 1 || options.rooms < 1 || options.window < 1 ||
        options.window > WINDOW_MAX || options.size < 12 || options.size > 60000 ||
        (options.raw && options.size < 126))
        die("--port is needed; --members, --rooms and --window from 1, --size 12 to 60000");
    if (options.rooms > 1 && options.rooms * options.per_room > options.members)
        die("--rooms takes --per-room, and enough members");
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    raise_file_limit();
    connection_count = options.members + (options.idle ? 0 : options.port_count);
    receivers = (uint32_t)(options.per_room ? options.per_room : options.members);
    for (int i = 0; i < WINDOW_MAX; i++)
        arrived[i] = receivers;
    connections = calloc(connection_count, sizeof(*connections));
    epoll_fd = epoll_create1(0);
    if (!connections || epoll_fd < 0)
        die("no memory");
    for (int i = options.members; i < connection_count; i++)
        connections[i].publisher = true;
    open_all();
    if (options.idle)
        stay_idle();
    else
        run_load();
    return 0;
}
