/*
 * A worker of the redis plugin whose Redis says anything: answers to commands, pushes, what other nodes
 * say, cuts at any byte, while rooms are opened, joined, published in, read, and left. Whatever comes,
 * each call is answered once, members see positions that rise until they are sent away, and nothing
 * stays behind.
 *
 * Input: records of one byte what, one byte how long, and so many bytes.
 */
#include "../../plugins/redis/script.h"
#include "../unit/redis_host.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOMS = 2, CALLS_MAX = 64 };
enum what { FEED_PIPE, FEED_SUB, CALL, WAIT, CUT_PIPE, CUT_SUB, WHATS };

struct room_here {
    void *state;
    bool joined;
    hb_pos last;
};

static struct redis_node node;
static struct room_here rooms[ROOMS];
static int peers[2];           /* of the command connection, of the subscriber; -1: none */
static bool is_telling;        /* what is kept, from its beginning on */
static bool is_greeted;        /* greetings are answered as Redis does */
static struct call {
    hb_done done;
    int answers;
} calls[CALLS_MAX];
static int n_calls;

/* --- what the plugin tells -------------------------------------------------------------------------- */

static void on_deliver(hb_room *room, hb_message *m)
{
    struct room_here *r = (struct room_here *)room;
    HOLDS(r->joined || r != &rooms[0]);
    if (r != &rooms[0]) /* no history: no positions */
        return;
    HOLDS(m->pos.hi > r->last.hi || (m->pos.hi == r->last.hi && m->pos.lo > r->last.lo));
    r->last = m->pos;
}

static void on_lost(hb_room *room)
{
    ((struct room_here *)room)->last = (hb_pos){0, 0};
}

static void on_presence(hb_room *room, const hb_presence_event *ev)
{
    HOLDS(ev->kind == HB_PRESENCE_SYNC || (ev->user.p && ev->session.p && ev->count >= 0));
}

static void on_kept(const hb_ctx *ctx, bool whole)
{
    HOLDS(!whole || is_telling);
    is_telling = !whole;
}

static void feed(int which, const void *bytes, size_t n)
{
    if (peers[which] >= 0)
        (void)!send(peers[which], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_connected(struct redis_node *n, int fd, bool pipe)
{
    char answers[512] = "+PONG\r\n";
    const char *each = pipe ? "+\r\n" : "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
    int count = pipe ? SCRIPT_COUNT : redis_worker == 0 ? 4 : 1;
    for (int i = 0; i < count; i++)
        strcat(answers, each);
    int which = pipe ? 0 : 1;
    if (peers[which] >= 0)
        close(peers[which]);
    peers[which] = fd;
    if (is_greeted)
        feed(which, answers, strlen(answers));
}

/* --- what is called --------------------------------------------------------------------------------- */

static void on_done(hb_done *done, const hb_result *r)
{
    struct call *c = (struct call *)done;
    HOLDS(++c->answers == 1);
    HOLDS(r->n == 0 || r->messages);
    for (size_t i = 0; i < r->n; i++)
        HOLDS(r->messages[i]->data.n > 0);
    for (size_t i = 0; i < r->n_present; i++)
        HOLDS(r->present[i].user.p && r->present[i].sessions >= 0);
}

static hb_done *next_call(void)
{
    calls[n_calls] = (struct call){.done = {on_done}};
    return &calls[n_calls++].done;
}

static void join(struct room_here *r)
{
    r->joined = !r->joined;
    r->last = (hb_pos){0, 0};
    redis_backend()->interest(&node.ctx, r->state, r->joined);
}

static void publish(struct room_here *r, hb_str text)
{
    hb_key key = {.room = HB_STR("a"), .scope = HB_STR("u"), .key = text, .digest = 7, .window_ms = 1000};
    hb_message *m = redis_message(text.n ? text : HB_STR("x"));
    redis_backend()->publish(&node.ctx, r->state, m, text.n % 2 ? &key : NULL, next_call());
    redis_unref(m);
}

static void read_back(struct room_here *r, hb_str since)
{
    hb_pos pos = {since.n > 1 ? (unsigned char)since.p[1] : 0, 0};
    redis_backend()->read(&node.ctx, r->state, since.n ? &pos : NULL, 10, 1000, next_call());
}

static void call(hb_str text)
{
    struct room_here *r = &rooms[text.n && text.p[0] & 16 ? 1 : 0];
    const hb_backend *b = redis_backend();
    hb_key key = {.room = HB_STR("a"), .scope = HB_STR("u"), .key = text, .window_ms = 1000};
    if (!text.n || n_calls == CALLS_MAX)
        return;
    switch (text.p[0] & 15) {
    case 0: join(r); break;
    case 1: publish(r, (hb_str){text.p + 1, text.n - 1}); break;
    case 2: read_back(r, (hb_str){text.p + 1, text.n - 1}); break;
    case 3: b->position(&node.ctx, r->state, next_call()); break;
    case 4: b->lookup(&node.ctx, r->state, &key, next_call()); break;
    case 5: b->presence_set(&node.ctx, r->state, HB_STR("u"), HB_STR("s"), 1, text, next_call()); break;
    case 6: b->presence_drop(&node.ctx, r->state, HB_STR("u"), HB_STR("s"), 10, next_call()); break;
    case 7: b->presence_list(&node.ctx, r->state, 10, next_call()); break;
    default: b->cast_kept(&node.ctx, text, text.n > 2 ? (int64_t)redis_now + text.p[2] : 0); break;
    }
}

/* ---------------------------------------------------------------------------------------------------- */

static void cut(int which)
{
    if (peers[which] >= 0)
        close(peers[which]);
    peers[which] = -1;
}

static void record(enum what what, const uint8_t *bytes, size_t n)
{
    if (what == FEED_PIPE || what == FEED_SUB)
        feed(what == FEED_PIPE ? 0 : 1, bytes, n);
    else if (what == CALL)
        call((hb_str){(const char *)bytes, n});
    else if (what == WAIT)
        redis_advance(n ? bytes[0] * (uint64_t)20 : 1);
    else
        cut(what == CUT_PIPE ? 0 : 1);
    redis_turn();
}

static void open_rooms(void)
{
    static const hb_keep keeps[ROOMS] = {{5, 0, 100000}, {0, 0, 0}};
    static const hb_str names[ROOMS] = {{"a", 1}, {"b", 1}};
    for (int i = 0; i < ROOMS; i++) {
        rooms[i] = (struct room_here){0};
        rooms[i].state = redis_backend()->room_open(&node.ctx, (hb_room *)&rooms[i], names[i], &keeps[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    is_greeted = data[0] != '!';
    n_calls = 0;
    is_telling = false;
    redis_worker = data[0] == 'k' ? 0 : 1; /* 'k': the first of its node, which asks for what is kept */
    peers[0] = peers[1] = -1;
    redis_seed(1);
    redis_now = 1000000;
    redis_listener = (struct redis_listener){
        .deliver = on_deliver, .lost = on_lost, .presence = on_presence, .kept = on_kept, .connected = on_connected};
    redis_node_start(&node, 1);
    open_rooms();
    redis_turn();
    for (size_t at = 1; at + 2 <= size;) {
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        record((enum what)(data[at] % WHATS), data + at + 2, n);
        at += 2 + n;
    }
    for (int i = 0; i < ROOMS; i++)
        redis_backend()->room_close(&node.ctx, rooms[i].state);
    redis_node_stop(&node);
    cut(0);
    cut(1);
    for (int i = 0; i < n_calls; i++)
        HOLDS(calls[i].answers == 1);
    HOLDS(redis_texts == 0);
    return 0;
}
