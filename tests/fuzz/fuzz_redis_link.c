/*
 * How the redis plugin finds and greets a Redis whose Sentinels, and which itself, say anything: addresses,
 * roles, answers to AUTH, PING and SCRIPT, cut anywhere. Whatever came, it gets in touch as soon as all of
 * them speak properly again.
 *
 * Input: one byte (what is answered properly at once: 1 Sentinels, 2 the rest), then records of one byte
 * what, one byte how long, and so many bytes.
 */
#include "../../plugins/redis/resolve.h"
#include "../../plugins/redis/script.h"
#include "../unit/redis_host.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIPE, SUB, PIPE_SENTINEL, SUB_SENTINEL, PEERS };

static struct redis_node node;
static int peers[PEERS];
static bool sentinels_speak, redis_speaks;

/* Instead of the plugin's own: all names are here, but those that begin with '-'. */
void resolve(const hb_ctx *ctx, const char *host, int port, resolve_done *done, void *owner)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    HOLDS(host[0] && strlen(host) < sizeof(((struct place *)0)->host) && port > 0 && port < 65536);
    strcpy(to.sun_path, node.shared.place.path);
    if (host[0] == '-')
        done(owner, NULL, 0);
    else
        done(owner, (struct sockaddr *)&to, sizeof(to));
}

void resolve_finish(void)
{
}

static void feed(int which, const void *bytes, size_t n)
{
    if (peers[which] >= 0)
        (void)!send(peers[which], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void cut(int which)
{
    if (peers[which] >= 0)
        close(peers[which]);
    peers[which] = -1;
}

static int which_is(const struct link *l)
{
    const struct worker *w = node.ctx.local;
    if (l == &w->pipe.link)
        return PIPE;
    if (l == &w->sub.link)
        return SUB;
    return w->sub.link.state == LINK_LOOKING && w->pipe.link.state != LINK_LOOKING ? SUB_SENTINEL : PIPE_SENTINEL;
}

static void on_connected(struct redis_node *n, int fd, bool pipe)
{
    static const char master[] = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n+PONG\r\n";
    static const char address[] = "+PONG\r\n*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n";
    char answers[512];
    int which = which_is(redis_connecting);
    bool is_sentinel = which >= PIPE_SENTINEL;
    strcpy(answers, is_sentinel ? address : master);
    for (int i = 0; !is_sentinel && i < (which == PIPE ? SCRIPT_COUNT : 4); i++)
        strcat(answers, which == PIPE ? "+\r\n" : "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    cut(which);
    peers[which] = fd;
    if (is_sentinel ? sentinels_speak : redis_speaks)
        feed(which, answers, strlen(answers));
}

static bool is_in_touch(void)
{
    const struct worker *w = node.ctx.local;
    return pipe_is_up(&w->pipe) && sub_is_up(&w->sub);
}

static void record(unsigned what, const uint8_t *bytes, size_t n)
{
    if (what < PEERS)
        feed((int)what, bytes, n);
    else if (what == PEERS)
        redis_advance(n ? bytes[0] * (uint64_t)10 : 1);
    else
        cut((int)(n ? bytes[0] % PEERS : 0));
    redis_turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hb_str nodes[] = {{"10.0.0.1:26379", 14}, {"10.0.0.2", 8}};
    if (size < 1)
        return 0;
    for (int i = 0; i < PEERS; i++)
        peers[i] = -1;
    sentinels_speak = data[0] & 1;
    redis_speaks = data[0] & 2;
    redis_seed(1);
    redis_now = 1000000;
    redis_listener = (struct redis_listener){.connected = on_connected};
    redis_sentinels = (hb_strings){.items = nodes, .n = 2};
    redis_node_start(&node, 1);
    redis_turn();
    for (size_t at = 1; at + 2 <= size;) {
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        record(data[at] % (PEERS + 2), data + at + 2, n);
        at += 2 + n;
    }
    sentinels_speak = redis_speaks = true;
    for (int i = 0; i < PEERS; i++)
        cut(i);
    for (int i = 0; i < 600 && !is_in_touch(); i++)
        redis_advance(50);
    HOLDS(is_in_touch());
    redis_node_stop(&node);
    for (int i = 0; i < PEERS; i++)
        cut(i);
    return 0;
}
