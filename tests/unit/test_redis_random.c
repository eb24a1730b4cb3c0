/*
 * The promise of the redis plugin under random faults: three nodes, members that come, go and come
 * back by their cursors, publishes, and a Redis (redis_model.c) whose answers are late or never
 * come, whose pushes are dropped, doubled and turned round, and whose memory is lost. Afterwards
 * every member has every confirmed message once, in order, or was told of a gap since; and every node
 * has heard what any of them cast to be kept.
 *
 * REDIS_RANDOM_RUNS   how many seeds for each kind of harm (default 15)
 * REDIS_RANDOM_SEED   only this one
 */
#include "redis_model.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 3,
    ROOMS = 2,
    MEMBERS = 8,
    STEPS = 1500,
    PUBLISHES_MAX = 1000,
    KEPT_MAX = 1000,
    PAGE = 8,
    PAGE_BYTES = 400
};

/* What may happen to Redis. */
enum harm { HARM_CONNECTIONS, HARM_TRIMMED, HARM_MEMORY };

struct home {
    struct redis_node *node;
    int room;
    void *state; /* NULL: not open */
    int total, pending;
    uint64_t used_ms;
};

/* What a member saw between two words of a gap. */
struct life {
    int began;    /* at which step */
    size_t first; /* index in member->seen */
};

enum member_state { OUT, JOINING, BEGINNING, REPLAYING, LIVE };

struct member {
    enum member_state state;
    struct home *home;
    struct question *asks; /* what is under way for it; NULL: nothing */
    bool has_cursor;
    hb_pos cursor;
    int room;
    struct life lives[256];
    size_t n_lives;
    struct seen {
        int number;
        hb_pos pos;
    } seen[2 * PUBLISHES_MAX];
    size_t n_seen;
};

/* A read, which may outlast the stay of whom it was for. */
struct question {
    hb_done done;
    struct member *member;
    struct home *home;
};

struct publish {
    hb_done done;
    struct home *home;
    int started; /* at which step */
    bool answered, confirmed;
    hb_pos pos;
};

static struct redis_node nodes[NODES];
static struct home homes[NODES][ROOMS];
static struct member members[MEMBERS];
static struct publish publishes[PUBLISHES_MAX];
static int n_publishes, n_kept, step;
static unsigned heard[NODES][KEPT_MAX]; /* by which node, in which of its rounds; 0: not */
static unsigned rounds[NODES];
static enum harm harm;
static uint64_t seed;

static _Noreturn void fail(const char *what, int member, int number)
{
    unit_fail(__FILE__, __LINE__, "harm %d, seed %llu, step %d: %s (member %d, message %d)",
        (int)harm, (unsigned long long)seed, step, what, member, number);
}

/* --- homes: what the core does -------------------------------------------------------------------- */

static void open_home(struct home *h)
{
    static const char *const names[ROOMS] = {"a", "b"};
    const hb_keep keep = {
        harm == HARM_TRIMMED ? 6 : 10000, 0, harm == HARM_TRIMMED ? 20000 : 3600000};
    if (!h->state)
        h->state = redis_backend()->room_open(
            &h->node->ctx, (hb_room *)h, (hb_str){names[h->room], 1}, &keep);
}

static void used(struct home *h)
{
    h->used_ms = redis_now;
}

static void maybe_close(struct home *h)
{
    if (h->state && h->total == 0 && h->pending == 0 &&
        (int64_t)(redis_now - h->used_ms) >= redis_backend()->idle_ms(&h->node->ctx, h->state)) {
        redis_backend()->room_close(&h->node->ctx, h->state);
        h->state = NULL;
    }
}

static void leave_home(struct home *h)
{
    used(h);
    if (--h->total == 0)
        redis_backend()->interest(&h->node->ctx, h->state, false);
}

/* --- members -------------------------------------------------------------------------------------- */

static int number_of(const hb_message *m)
{
    return atoi(m->data.p);
}

static void see(struct member *m, const hb_message *message)
{
    if (m->n_seen == sizeof(m->seen) / sizeof(m->seen[0]))
        fail("too many", (int)(m - members), 0);
    m->seen[m->n_seen++] = (struct seen){number_of(message), message->pos};
    m->cursor = message->pos;
    if (getenv("DBG") && m - members == atoi(getenv("DBG")))
        fprintf(stderr, "# %d see %d at %llu-%llu home %d state %d\n", step, number_of(message),
            (unsigned long long)message->pos.hi, (unsigned long long)message->pos.lo,
            (int)(m->home->node - nodes), m->state);
}

static void go_out(struct member *m)
{
    struct home *h = m->home;
    m->state = OUT;
    m->asks = NULL;
    leave_home(h);
    if (getenv("DBG") && m - members == atoi(getenv("DBG")))
        fprintf(stderr, "# %d out\n", step);
}

static hb_done *question(struct member *m, void (*fn)(hb_done *, const hb_result *))
{
    struct question *q = calloc(1, sizeof(*q));
    *q = (struct question){{fn}, m, m->home};
    m->asks = q;
    m->home->pending++;
    return &q->done;
}

/* Whom it is for; NULL: it is gone. */
static struct member *answered(hb_done *done)
{
    struct question *q = container_of(done, struct question, done);
    struct member *m = q->member->asks == q ? q->member : NULL;
    q->home->pending--;
    used(q->home);
    if (m)
        m->asks = NULL;
    free(q);
    return m;
}

static void begin_life(struct member *m, hb_pos at)
{
    if (m->n_lives > 0 && harm == HARM_CONNECTIONS)
        fail("a gap is told where nothing was lost", (int)(m - members), 0);
    if (m->n_lives == sizeof(m->lives) / sizeof(m->lives[0]))
        fail("gaps without end", (int)(m - members), 0);
    m->lives[m->n_lives++] = (struct life){step, m->n_seen};
    m->cursor = at;
    m->has_cursor = true;
    m->state = LIVE;
    if (getenv("DBG") && m - members == atoi(getenv("DBG")))
        fprintf(stderr, "# %d life at %llu-%llu\n", step, (unsigned long long)at.hi,
            (unsigned long long)at.lo);
}

static void on_position(hb_done *done, const hb_result *r)
{
    struct member *m = answered(done);
    if (m && r->code == HB_OK)
        begin_life(m, r->pos);
    else if (m)
        go_out(m);
}

static void ask_position(struct member *m)
{
    m->state = BEGINNING;
    redis_backend()->position(&m->home->node->ctx, m->home->state, question(m, on_position));
}

static void take_page(struct member *m, const hb_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        see(m, r->messages[i]);
    m->cursor = r->pos;
    m->state = r->more ? REPLAYING : LIVE;
}

static void on_page(hb_done *done, const hb_result *r)
{
    struct member *m = answered(done);
    if (!m)
        return;
    if (r->code == HB_OK && r->recovered)
        take_page(m, r);
    else if (r->code == HB_OK && m->state == JOINING)
        ask_position(m);
    else
        go_out(m);
}

static void ask(struct member *m)
{
    redis_backend()->read(
        &m->home->node->ctx, m->home->state, &m->cursor, PAGE, PAGE_BYTES, question(m, on_page));
}

static void join(struct member *m, struct home *h)
{
    m->home = h;
    open_home(h);
    used(h);
    if (h->total++ == 0)
        redis_backend()->interest(&h->node->ctx, h->state, true);
    if (!m->has_cursor) {
        ask_position(m);
        return;
    }
    m->state = JOINING;
    ask(m);
}

/* --- what the plugin tells ------------------------------------------------------------------------ */

static void on_deliver(hb_room *room, hb_message *message)
{
    for (int i = 0; i < MEMBERS; i++)
        if (members[i].state == LIVE && members[i].home == (struct home *)room)
            see(&members[i], message);
}

static void on_lost(hb_room *room)
{
    if (harm == HARM_CONNECTIONS)
        fail("a loss where nothing was lost", -1, 0);
    for (int i = 0; i < MEMBERS; i++)
        if ((members[i].state == LIVE || members[i].state == REPLAYING) &&
            members[i].home == (struct home *)room)
            go_out(&members[i]);
}

static void on_published(hb_done *done, const hb_result *r)
{
    struct publish *p = container_of(done, struct publish, done);
    p->answered = true;
    p->confirmed = r->code == HB_OK;
    p->pos = r->pos;
    if (getenv("DBG"))
        fprintf(stderr, "# %d published %d code %d unknown %d at %llu-%llu node %d room %d\n", step,
            (int)(p - publishes), r->code, r->unknown, (unsigned long long)r->pos.hi,
            (unsigned long long)r->pos.lo, (int)(p->home->node - nodes), p->home->room);
    p->home->pending--;
    if (p->confirmed && (r->duplicate || !r->delivered))
        fail("one's own publish is a stranger", -1, (int)(p - publishes));
}

static void publish(struct home *h)
{
    char text[16];
    struct publish *p = &publishes[n_publishes];
    *p = (struct publish){.done = {on_published}, .home = h, .started = step};
    open_home(h);
    used(h);
    h->pending++;
    hb_message *m =
        redis_message((hb_str){text, (size_t)snprintf(text, sizeof(text), "%d", n_publishes++)});
    redis_backend()->publish(&h->node->ctx, h->state, m, NULL, &p->done);
    redis_unref(m);
}

/* --- what is kept: what the core does with revocations --------------------------------------------- */

static size_t node_of(const hb_ctx *ctx)
{
    return ((uintptr_t)ctx - (uintptr_t)nodes) / sizeof(nodes[0]);
}

static void cast_kept(size_t node, int number)
{
    char text[16];
    size_t n = (size_t)snprintf(text, sizeof(text), "%d", number);
    redis_backend()->cast_kept(&nodes[node].ctx, (hb_str){text, n}, 0);
}

static void on_heard(const hb_ctx *ctx, hb_str bytes)
{
    heard[node_of(ctx)][atoi(bytes.p)] = rounds[node_of(ctx)];
}

static void on_kept(const hb_ctx *ctx, bool whole)
{
    size_t node = node_of(ctx);
    rounds[node] += !whole;
    for (int k = 0; whole && k < n_kept; k++)
        if (heard[node][k] && heard[node][k] != rounds[node])
            cast_kept(node, k);
}

static void revoke(size_t node)
{
    heard[node][n_kept] = rounds[node];
    cast_kept(node, n_kept++);
}

/* --- what happens --------------------------------------------------------------------------------- */

static struct model_link *some_link(void)
{
    size_t n = 0;
    for (struct list *at = model_links.next; at != &model_links; at = at->next)
        n++;
    if (n == 0)
        return NULL;
    struct list *at = model_links.next;
    for (n = redis_random(n); n > 0; n--)
        at = at->next;
    return list_entry(at, struct model_link, link);
}

static struct model_out *some_push(struct model_link *l)
{
    struct model_out *found = NULL;
    uint64_t n = 0;
    for (struct list *at = l->out.next; at != &l->out; at = at->next)
        if (list_entry(at, struct model_out, link)->push && redis_random(++n) == 0)
            found = list_entry(at, struct model_out, link);
    return found;
}

static void harm_push(struct model_link *l)
{
    struct model_out *o = l ? some_push(l) : NULL;
    if (!o)
        return;
    struct model_out *copy = malloc(sizeof(*copy) + o->n);
    switch (redis_random(3)) {
    case 0: /* dropped */
        list_remove(&o->link);
        l->n_out--;
        free(o);
        free(copy);
        return;
    case 1: /* twice, the second one later */
        memcpy(copy, o, sizeof(*copy) + o->n);
        list_insert(&l->out, &copy->link);
        l->n_out++;
        return;
    default: /* behind what came after it */
        list_remove(&o->link);
        list_insert(&l->out, &o->link);
        free(copy);
    }
}

static void harm_memory(void)
{
    if (redis_random(2) == 0) {
        model_cut_all();
        model_empty();
    } else {
        for (int i = 0; i < 30; i++) {
            struct model_link *l = some_link();
            if (l && redis_random(2))
                model_run(l);
        }
        model_cut_all();
        model_fail_over();
    }
}

static void harm_something(void)
{
    uint64_t kind = redis_random(40);
    if (kind < 20)
        harm_push(some_link());
    else if (kind < 24 && some_link())
        model_cut(some_link());
    else if (kind == 24)
        redis_refuses = !redis_refuses;
    else if (kind == 25 && harm == HARM_MEMORY)
        harm_memory();
    else if (kind < 28)
        model_save();
}

static void member_acts(struct member *m)
{
    if (m->state == OUT && redis_random(3))
        join(m, &homes[redis_random(NODES)][m->room]);
    else if ((m->state == LIVE || m->state == REPLAYING) && redis_random(4) == 0) {
        go_out(m);
    } else if (m->state == REPLAYING && !m->asks) {
        ask(m);
    }
}

static void one_step(void)
{
    struct model_link *l = some_link();
    uint64_t what = redis_random(100);
    if (what < 40 && l)
        model_run(l);
    else if (what < 75 && l)
        model_write(l);
    else if (what < 83 && n_publishes < PUBLISHES_MAX)
        publish(&homes[redis_random(NODES)][redis_random(ROOMS)]);
    else if (what < 84 && n_kept < KEPT_MAX)
        revoke(redis_random(NODES));
    else if (what < 88)
        member_acts(&members[redis_random(MEMBERS)]);
    else if (what < 93)
        harm_something();
    else if (what < 95)
        maybe_close(&homes[redis_random(NODES)][redis_random(ROOMS)]);
    else
        redis_advance(redis_random(what == 99 ? 700 : 30));
    redis_turn();
}

/* --- afterwards ----------------------------------------------------------------------------------- */

static void run_all(void)
{
    for (bool any = true; any;) {
        any = false;
        for (struct list *at = model_links.next; at != &model_links; at = at->next) {
            struct model_link *l = list_entry(at, struct model_link, link);
            any |= model_run(l);
            any |= model_write(l);
        }
        redis_turn();
    }
}

static void calm_down(void)
{
    redis_refuses = false;
    for (uint64_t end = redis_now + 90000; redis_now < end; step++) {
        run_all();
        for (int i = 0; i < MEMBERS; i++) {
            struct member *m = &members[i];
            if (m->state == OUT)
                join(m, &homes[redis_random(NODES)][m->room]);
            else if (m->state == REPLAYING && !m->asks)
                ask(m);
        }
        redis_advance(50);
    }
    run_all();
}

static bool has_seen(const struct member *m, int number)
{
    for (size_t i = 0; i < m->n_seen; i++)
        if (m->seen[i].number == number)
            return true;
    return false;
}

/* Of two lives, the one that `seen[i]` is in ends where the next begins. */
static size_t life_end(const struct member *m, size_t life)
{
    return life + 1 < m->n_lives ? m->lives[life + 1].first : m->n_seen;
}

/* Between two that it saw, without a word of a gap? Positions say so where Redis loses nothing. */
static bool is_hole(const struct member *m, const struct publish *p)
{
    for (size_t k = 0; k < m->n_lives; k++) {
        size_t end = life_end(m, k);
        if (end > m->lives[k].first && pos_compare(m->seen[m->lives[k].first].pos, p->pos) < 0 &&
            pos_compare(p->pos, m->seen[end - 1].pos) < 0)
            return true;
    }
    return false;
}

static void check_message(const struct member *m, int number)
{
    const struct publish *p = &publishes[number];
    bool told = false;
    if (p->home->room != m->room || !p->confirmed || has_seen(m, number) || m->n_lives == 0 ||
        p->started < m->lives[0].began)
        return;
    for (size_t k = 1; k < m->n_lives; k++)
        told |= m->lives[k].began >= p->started;
    if (!told)
        fail("a confirmed message is missing, and nobody was told", (int)(m - members), number);
    if (harm != HARM_MEMORY && is_hole(m, p))
        fail("a hole in the middle", (int)(m - members), number);
}

/* Behind the word of a gap begins another life: there it may stand before what it had seen. */
static void check_life(const struct member *m, size_t from, size_t to)
{
    static bool seen[PUBLISHES_MAX];
    memset(seen, 0, sizeof(seen));
    for (size_t i = from; i < to; i++) {
        if (seen[m->seen[i].number])
            fail("a message came twice", (int)(m - members), m->seen[i].number);
        seen[m->seen[i].number] = true;
        if (i > from && pos_compare(m->seen[i - 1].pos, m->seen[i].pos) >= 0)
            fail("out of order", (int)(m - members), m->seen[i].number);
    }
}

static void check(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (members[i].state != LIVE)
            fail("a member is not back", i, (int)members[i].state);
        for (size_t k = 0; k < members[i].n_lives; k++)
            check_life(&members[i], members[i].lives[k].first, life_end(&members[i], k));
        for (int k = 0; k < n_publishes; k++)
            check_message(&members[i], k);
    }
    for (int i = 0; i < NODES; i++)
        for (int k = 0; k < n_kept; k++)
            if (!heard[i][k])
                fail("a node has not heard what is kept", i, k);
    for (int k = 0; k < n_publishes; k++)
        if (!publishes[k].answered)
            fail("a publish was never answered", -1, k);
}

/* --- a run ---------------------------------------------------------------------------------------- */

static void begin(void)
{
    redis_seed(seed);
    redis_now = 1700000000000;
    redis_listener = (struct redis_listener){.deliver = on_deliver, .lost = on_lost, .heard = on_heard, .kept = on_kept};
    redis_refuses = false;
    model_begin();
    memset(homes, 0, sizeof(homes));
    memset(members, 0, sizeof(members));
    n_publishes = n_kept = step = 0;
    memset(heard, 0, sizeof(heard));
    for (int i = 0; i < NODES; i++) {
        rounds[i] = 1;
        redis_node_start(&nodes[i], (uint32_t)i);
        for (int k = 0; k < ROOMS; k++)
            homes[i][k] = (struct home){.node = &nodes[i], .room = k};
    }
    for (int i = 0; i < MEMBERS; i++)
        members[i].room = i % ROOMS;
    run_all();
}

static void end(void)
{
    for (int i = 0; i < MEMBERS; i++)
        if (members[i].state != OUT)
            go_out(&members[i]);
    for (int i = 0; i < NODES; i++) {
        for (int k = 0; k < ROOMS; k++)
            if (homes[i][k].state)
                redis_backend()->room_close(&nodes[i].ctx, homes[i][k].state);
        redis_node_stop(&nodes[i]);
    }
    model_finish();
}

static void run(enum harm what)
{
    const char *only = getenv("REDIS_RANDOM_SEED"), *runs = getenv("REDIS_RANDOM_RUNS");
    uint64_t n = runs ? strtoull(runs, NULL, 10) : 15;
    size_t gaps = 0, confirmed = 0, delivered = 0;
    harm = what;
    for (seed = only ? strtoull(only, NULL, 10) : 1; only || seed <= n; seed++) {
        begin();
        for (; step < STEPS; step++)
            one_step();
        calm_down();
        check();
        for (int i = 0; i < MEMBERS; i++) {
            gaps += members[i].n_lives - 1;
            delivered += members[i].n_seen;
        }
        for (int k = 0; k < n_publishes; k++)
            confirmed += publishes[k].confirmed;
        end();
        if (only)
            break;
    }
    printf("# %zu confirmed, %zu delivered, %zu gaps told\n", confirmed, delivered, gaps);
    CHECK((gaps > 0) == (what != HARM_CONNECTIONS) || only);
}

TEST(where_only_connections_and_pushes_suffer_nobody_misses_anything)
{
    run(HARM_CONNECTIONS);
}

TEST(where_streams_are_trimmed_a_gap_is_told_and_nothing_else_is_missing)
{
    run(HARM_TRIMMED);
}

TEST(where_redis_loses_what_it_confirmed_it_is_told)
{
    run(HARM_MEMORY);
}
