/* The plugin presence, and the core below it, without sockets: who is told what, when. */
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "pipeline.h"
#include "session/presence.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const hb_module hubbub_module;

enum { MODULE = 1, WORKERS = 4 };

static struct options {
    int64_t grace_ms, list_up_to;
} options;

/* --- a host with timers ----------------------------------------------------------------------- */

struct module_timer {
    struct timer timer;
    const hb_ctx *ctx;
    hb_timer *outer;
};

static void on_timer(struct timer *t)
{
    struct module_timer m = *container_of(t, struct module_timer, timer);
    free(m.outer->reserved[0]);
    m.outer->reserved[0] = NULL;
    m.outer->fire(m.ctx, m.outer);
}

static struct wheel *wheel_of(const hb_ctx *ctx)
{
    return &hooks_hub()->shards[ctx->worker]->wheel;
}

static void set_timer(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    struct module_timer *m = t->reserved[0];
    if (!m) {
        m = t->reserved[0] = mem_zalloc(sizeof(*m));
        timer_init(&m->timer, on_timer);
        m->ctx = ctx;
        m->outer = t;
    }
    timer_set(wheel_of(ctx), &m->timer, clock_mono_ms() + after_ms);
}

static void cancel_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct module_timer *m = t->reserved[0];
    if (m)
        timer_cancel(wheel_of(ctx), &m->timer);
    free(m);
    t->reserved[0] = NULL;
}

static const hb_host host = {.size = sizeof(hb_host), .timer_set = set_timer,
    .timer_cancel = cancel_timer, .presence_wanted = host_presence_wanted,
    .presence_set = host_presence_set, .presence_drop = host_presence_drop,
    .presence_sync = host_presence_sync, .presence_tell = host_presence_tell};

/* The credential is the user. */
static hb_verdict on_connect(const hb_ctx *ctx, hb_connect *ev)
{
    ev->out.user = ev->credential;
    return HB_ALLOW;
}

static hb_hooks hooks;
static struct pipeline *p;
static const char *room;

/* A room with presence whose home is worker `home`. */
static void begin_with(const char *yaml, int home)
{
    hooks = *hubbub_module.hooks;
    hooks.connect = on_connect;
    options = (struct options){5000, 200};
    p = pipeline_start(yaml, &hooks);
    for (int i = 0; i < pipeline_workers(p); i++) {
        hb_ctx *ctx = &pipeline_shard(p, i)->ctx[MODULE];
        *ctx = (hb_ctx){.host = &host, .options = &options, .worker = i};
        hubbub_module.worker_init(ctx, &ctx->local);
    }
    room = pipeline_room(p, "room", home);
}

static void begin(void)
{
    begin_with("workers: 4\nrooms:\n- {match: 'bare*'}\n"
        "- {match: '*', presence: true, history: {messages: 100}}\n", 2);
}

static void end_session(struct session *ss, void *arg)
{
    session_end(ss, HB_END_CLIENT, true);
}

static void end(void)
{
    for (int i = 0; i < pipeline_workers(p); i++)
        registry_each(pipeline_shard(p, i), end_session, NULL);
    pipeline_settle(p);
    for (int i = 0; i < pipeline_workers(p); i++)
        hubbub_module.worker_finish(&pipeline_shard(p, i)->ctx[MODULE]);
    pipeline_stop(p);
}

/* In steps, so that timers set by timers are due in time; what one worker's post to another comes
 * in, too. */
static void advance(uint64_t ms)
{
    for (uint64_t step; ms > 0; ms -= step) {
        step = ms < 20 ? ms : 20;
        pipeline_advance(p, step);
        pipeline_settle(p);
    }
}

/* --- clients ---------------------------------------------------------------------------------- */

static char text[8192];

static const char *join_op(const char *more)
{
    snprintf(text, sizeof(text), "{\"type\":\"join\",\"id\":\"j\",\"room\":\"%s\"%s}", room, more);
    return text;
}

/* `more`: further fields of the join. */
static struct client *joined_with(int worker, const char *user, const char *more)
{
    struct client *c = client_open(p, worker, user, false);
    client_send(c, join_op(more));
    return c;
}

static struct client *joined(int worker, const char *user)
{
    return joined_with(worker, user, "");
}

static const char *op(struct client *c, const char *type, const char *more)
{
    char json[8192];
    snprintf(json, sizeof(json), "{\"type\":\"%s\",\"id\":\"op\",\"room\":\"%s\"%s}", type, room,
        more);
    client_send(c, json);
    return client_find(c, "\"id\":\"op\"");
}

static void skip(struct client *c)
{
    client_find(c, "no such line");
}

static const char *told(struct client *c)
{
    return client_find(c, "\"type\":\"presence\"");
}

/* Its next presence event has all of this in it. */
static void check_event(const char *file, int line, struct client *c, const char *event,
    const char *part)
{
    char want[64];
    const char *got = told(c);
    snprintf(want, sizeof(want), "\"event\":\"%s\"", event);
    if (!strstr(got, want) || !strstr(got, part))
        unit_fail(file, line, "told \"%s\", expected %s with %s", got, event, part);
}
#define CHECK_EVENT(c, event, part) check_event(__FILE__, __LINE__, c, event, part)
#define CHECK_QUIET(c) CHECK_STR(str_of(told(c)), "")

/* --- coming and going ------------------------------------------------------------------------- */

static void tells_the_others(int home, int a, int b)
{
    begin_with("workers: 4\nrooms: [{match: '*', presence: true}]\n", home);
    struct client *alice = joined(a, "alice");
    skip(alice);
    struct client *bob = joined_with(b, "bob", ",\"data\":{\"n\":1.10}");
    CHECK(*client_find(bob, "\"id\":\"j\",\"ok\":true"));
    CHECK_EVENT(bob, "sync",
        "\"users\":[{\"user\":\"alice\",\"sessions\":1,\"since\":1700000000000},"
        "{\"user\":\"bob\",\"sessions\":1,\"since\":1700000000000,\"data\":{\"n\":1.10}}]}");
    CHECK_QUIET(bob);
    const char *join = told(alice);
    CHECK(strstr(join, "\"event\":\"join\",\"user\":\"bob\",\"session\":\""));
    CHECK(strstr(join, "\"data\":{\"n\":1.10}}"));
    CHECK_QUIET(alice);
    op(bob, "leave", "");
    CHECK_EVENT(alice, "leave", "\"user\":\"bob\",\"session\":\"");
    CHECK_QUIET(bob);
    end();
}

TEST(a_join_is_told_to_the_others_and_who_came_gets_a_sync_wherever_they_all_are)
{
    for (int home = 0; home < 3; home++) {
        tells_the_others(home, 0, 0);
        tells_the_others(home, 0, 1);
        tells_the_others(home, 1, 0);
    }
}

TEST(tabs_are_one_user_from_the_first_to_the_last)
{
    begin();
    struct client *bob = joined(0, "bob"), *tab = joined(1, "alice");
    skip(bob);
    struct client *tab2 = joined(2, "alice");
    CHECK_EVENT(tab2, "sync", "\"user\":\"alice\",\"sessions\":2");
    op(tab, "leave", "");
    CHECK_QUIET(bob);
    op(tab2, "leave", "");
    CHECK_EVENT(bob, "leave", "\"user\":\"alice\"");
    end();
}

static struct client *other_tab;

/* The join was just answered: the other tab leaves before anything else happens. */
static void other_tab_leaves(const hb_ctx *ctx, hb_session *session, hb_str in, hb_str data)
{
    char leave[128];
    struct client *tab = other_tab;
    other_tab = NULL;
    if (tab) {
        snprintf(leave, sizeof(leave), "{\"type\":\"leave\",\"room\":\"%s\"}", room);
        client_send_quietly(tab, leave);
    }
    hubbub_module.hooks->joined(ctx, session, in, data);
}

TEST(who_was_answered_is_counted_though_the_other_tab_leaves_in_that_instant)
{
    for (int worker = 0; worker < WORKERS; worker++) {
        begin();
        hooks.joined = other_tab_leaves;
        struct client *bob = joined(0, "bob");
        struct client *tab = joined_with(3, "alice", ",\"data\":{\"n\":1}");
        skip(bob);
        other_tab = tab;
        struct client *tab2 = joined(worker, "alice");
        CHECK(!other_tab && *client_find(tab2, "\"id\":\"j\",\"ok\":true"));
        CHECK_EVENT(tab2, "sync", "\"data\":{\"n\":1}");
        CHECK_QUIET(bob);
        CHECK(strstr(op(bob, "presence", ""), "\"user\":\"alice\",\"sessions\":1,"));
        end();
    }
}

TEST(a_full_room_counts_nobody)
{
    begin_with("workers: 4\nlimits: {room_members: 1}\nrooms: [{match: '*', presence: true}]\n", 2);
    struct client *bob = joined(0, "bob");
    skip(bob);
    CHECK(strstr(client_find(joined(1, "alice"), "\"id\":\"j\""), "\"code\":\"room_full\""));
    CHECK_QUIET(bob);
    CHECK(strstr(op(bob, "presence", ""), "\"count\":1"));
    end();
}

TEST(a_lost_connection_has_the_grace_and_a_reconnect_on_another_worker_ends_it)
{
    begin();
    struct client *bob = joined(0, "bob");
    client_gone(joined(1, "alice"));
    CHECK_EVENT(bob, "sync", "bob");
    CHECK_EVENT(bob, "join", "alice");
    advance(4999);
    struct client *alice = joined(3, "alice");
    CHECK_EVENT(alice, "sync", "alice");
    advance(10000);
    CHECK_QUIET(bob);
    client_gone(alice);
    advance(4999);
    CHECK_QUIET(bob);
    advance(1);
    CHECK_EVENT(bob, "leave", "alice");
    end();
}

TEST(whom_the_server_ends_is_gone_at_once_but_not_the_slow_nor_the_silent)
{
    begin();
    struct client *bob = joined(0, "bob");
    static const hb_end ends[] = {HB_END_KICKED, HB_END_EXPIRED, HB_END_RATE, HB_END_ERROR,
        HB_END_SLOW, HB_END_HEARTBEAT, HB_END_DRAIN};
    for (int i = 0; i < 7; i++) {
        struct client *alice = joined(1, "alice");
        skip(bob);
        session_close(alice->session, 4003, HB_STR("end"), ends[i]);
        pipeline_settle(p);
        if (i >= 4) {
            CHECK_QUIET(bob);
            advance(5000);
        }
        CHECK_EVENT(bob, "leave", "alice");
    }
    end();
}

TEST(who_ends_while_joining_leaves_nobody_behind)
{
    begin();
    struct client *bob = joined(0, "bob");
    for (int worker = 0; worker < WORKERS; worker++) {
        struct client *c = client_open(p, worker, "alice", false);
        client_send_quietly(c, join_op(""));
        session_end(c->session, HB_END_CLIENT, true);
        pipeline_settle(p);
    }
    CHECK(strstr(op(bob, "presence", ""), "\"users\":[{\"user\":\"bob\",\"sessions\":1"));
    end();
}

TEST(anonymous_sessions_are_members_but_no_users)
{
    begin();
    struct client *bob = joined(0, "bob");
    skip(bob);
    struct client *nobody = joined_with(1, NULL, ",\"data\":1");
    CHECK_EVENT(nobody, "sync", "[{\"user\":\"bob\",\"sessions\":1,");
    CHECK_QUIET(bob);
    CHECK(strstr(op(nobody, "presence", ""), "\"count\":1"));
    CHECK(strstr(op(nobody, "presence", ",\"data\":1"), "\"code\":\"unauthorized\""));
    op(nobody, "leave", "");
    CHECK_QUIET(bob);
    end();
}

/* --- the op ----------------------------------------------------------------------------------- */

TEST(data_set_by_the_op_are_told_to_all_and_answered_with_all)
{
    begin();
    struct client *alice = joined(0, "alice"), *bob = joined(1, "bob");
    skip(alice);
    skip(bob);
    CHECK(strstr(op(bob, "presence", ",\"data\":{\"mood\":\"fine\"}"),
        "\"ok\":true,\"users\":[{\"user\":\"alice\""));
    CHECK_EVENT(alice, "update", "\"user\":\"bob\",\"session\":\"");
    CHECK(strstr(op(alice, "presence", ""), "\"data\":{\"mood\":\"fine\"}}],\"count\":2}"));
    op(bob, "presence", ",\"data\":{\"mood\":\"fine\"}"); /* as before: nothing to tell */
    CHECK_QUIET(alice);
    op(bob, "presence", ",\"data\":null");
    CHECK_EVENT(alice, "update", "\"data\":null");
    end();
}

TEST(presence_is_for_members_and_for_rooms_that_have_it)
{
    begin();
    struct client *alice = client_open(p, 0, "alice", false);
    struct client *nobody = client_open(p, 0, NULL, false);
    CHECK(strstr(op(alice, "presence", ""), "\"code\":\"forbidden\""));
    CHECK(strstr(op(nobody, "presence", ""), "\"code\":\"unauthorized\""));
    room = "bare";
    client_send(alice, join_op(",\"data\":1"));
    CHECK(strstr(op(alice, "presence", ""), "\"code\":\"not_found\""));
    CHECK_QUIET(alice);
    client_send(alice, "{\"type\":\"presence\",\"id\":\"own\",\"room\":\"@alice\"}");
    CHECK(strstr(client_find(alice, "\"id\":\"own\""), "\"code\":\"not_found\""));
    end();
}

TEST(data_are_4_KiB_at_most)
{
    char data[4200] = ",\"data\":\"";
    begin();
    struct client *alice = client_open(p, 0, "alice", false);
    memset(data + 9, 'x', 4094);
    strcpy(data + 9 + 4094, "\"");
    client_send(alice, join_op(data));
    CHECK(*client_find(alice, "\"id\":\"j\",\"ok\":true"));
    strcpy(data + 9 + 4094, "x\"");
    CHECK(strstr(op(alice, "presence", data), "\"code\":\"too_large\""));
    struct client *bob = client_open(p, 0, "bob", false);
    client_send(bob, join_op(data));
    CHECK(strstr(client_find(bob, "\"id\":\"j\""), "\"code\":\"too_large\""));
    end();
}

TEST(where_all_data_would_fill_an_outbox_names_come_without)
{
    char data[4200] = ",\"data\":\"", user[8];
    begin_with("workers: 1\nlimits: {outbox: 64KiB}\nrooms: [{match: '*', presence: true}]\n", 0);
    memset(data + 9, 'x', 4000);
    strcpy(data + 9 + 4000, "\"");
    for (int i = 0; i < 40; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        joined_with(0, user, data);
    }
    struct client *last = joined(0, "last");
    CHECK(last->session && last->got.n < 40 * 1024);
    buf_char(&last->got, '\0');
    CHECK(strstr(last->got.p, "\"user\":\"u39\",\"sessions\":1,\"since\":1700000000000}"));
    end();
}

static struct presence_result answer;
static char answered[512];

static void on_answer(const struct presence_result *result, void *arg)
{
    CHECK(arg == &answer);
    answer = *result;
    snprintf(answered, sizeof(answered), "%.*s", (int)result->users.n,
        result->users.p ? result->users.p : "");
}

TEST(who_is_present_can_be_asked_from_any_thread)
{
    begin();
    joined(0, "alice");
    joined(1, "bob");
    struct hub *hub = pipeline_shard(p, 0)->hub;
    presence_from_anywhere(hub, str_of(room), 1, WORKERS, on_answer, &answer);
    pipeline_settle(p);
    CHECK_INT(answer.code, HB_OK);
    CHECK_INT(answer.count, 2);
    CHECK_STR(str_of(answered), "[{\"user\":\"alice\",\"sessions\":1,\"since\":1700000000000}]");
    presence_from_anywhere(hub, HB_STR("nowhere"), 1, WORKERS, on_answer, &answer);
    pipeline_settle(p);
    CHECK_INT(answer.code, HB_NOT_FOUND);
    struct shard *home = pipeline_shard(p, home_worker(hub, HB_STR("nowhere")));
    CHECK_INT(home_members(home, HB_STR("nowhere")), -1);
    end();
}

/* --- order ------------------------------------------------------------------------------------ */

TEST(what_was_told_before_a_sync_comes_before_it)
{
    begin_with("workers: 1\nrooms: [{match: '*', presence: true}]\n", 0);
    struct client *a = joined(0, "alice"), *b = client_open(p, 0, "bob", false);
    struct client *c = client_open(p, 0, "carol", false);
    skip(a);
    client_send_quietly(b, join_op(""));
    client_send_quietly(c, join_op(""));
    pipeline_settle(p);
    CHECK_EVENT(b, "sync", "\"bob\"");
    CHECK_EVENT(b, "join", "carol");
    CHECK_EVENT(c, "sync", "\"carol\"");
    CHECK_QUIET(c);
    CHECK_EVENT(a, "join", "bob");
    CHECK_EVENT(a, "join", "carol");
    end();
}

TEST(who_resumes_is_synced_when_it_has_caught_up)
{
    begin();
    struct client *alice = joined(0, "alice"), *bob = joined(1, "bob");
    char since[600];
    const char *reply = client_find(bob, "\"id\":\"j\"");
    snprintf(since, sizeof(since), ",\"since\":\"%s\"", client_field(reply, "cursor"));
    client_gone(bob);
    for (int i = 0; i < 90; i++)
        op(alice, "publish", ",\"data\":7");
    skip(alice);
    bob = client_open(p, 2, "bob", false);
    client_block(bob, 4096); /* in the middle of its replay */
    client_send(bob, join_op(since));
    joined_with(3, "carol", "");
    CHECK_EVENT(alice, "join", "carol");
    CHECK_QUIET(alice);
    client_unblock(bob);
    CHECK(*client_find(bob, "\"recovered\":true"));
    for (int i = 0; i < 90; i++)
        CHECK(strstr(client_next(bob), "\"data\":7"));
    const char *sync = client_next(bob);
    CHECK(strstr(sync, "\"event\":\"sync\"") && strstr(sync, "carol"));
    end();
}

TEST(the_syncs_of_an_opening_follow_the_answers_to_all_its_rooms)
{
    begin();
    char names[3][16];
    hb_str rooms[3];
    for (int i = 0; i < 3; i++) {
        snprintf(names[i], sizeof(names[i]), "%s", pipeline_room(p, "open", i));
        rooms[i] = str_of(names[i]);
    }
    struct client *c = client_open_rooms(p, 1, rooms, 3, (hb_str){NULL, 0});
    client_take(c);
    CHECK(strstr(client_next(c), "\"type\":\"welcome\""));
    for (int i = 0; i < 3; i++)
        CHECK(strstr(client_next(c), "\"type\":\"joined\""));
    for (int i = 0; i < 3; i++)
        CHECK(strstr(client_next(c), "\"event\":\"sync\""));
    end();
}

/* --- crowds ----------------------------------------------------------------------------------- */

TEST(past_the_limit_a_count_is_told_at_most_once_a_second)
{
    begin();
    options.list_up_to = 2;
    struct client *a = joined(0, "alice");
    joined(1, "bob");
    CHECK_EVENT(a, "sync", "alice");
    CHECK_EVENT(a, "join", "bob");
    struct client *c = joined(2, "carol");
    advance(20);
    CHECK_EVENT(a, "count", "\"count\":3}");
    CHECK_EVENT(c, "count", "\"count\":3}");
    struct client *d = joined(3, "dave");
    joined(3, "erin");
    op(c, "presence", ",\"data\":1");
    advance(999);
    CHECK_QUIET(a);
    CHECK_QUIET(d);
    advance(1);
    CHECK_EVENT(a, "count", "\"count\":5}");
    CHECK_EVENT(d, "count", "\"count\":5}");
    advance(9000);
    CHECK_QUIET(a);
    CHECK_QUIET(d);
    CHECK(strstr(op(a, "presence", ""),
        "{\"user\":\"bob\",\"sessions\":1,\"since\":1700000000000}],\"count\":5}"));
    end();
}

TEST(a_tab_or_an_anonymous_session_in_a_crowd_is_told_the_count_too)
{
    begin();
    options.list_up_to = 0;
    struct client *a = joined(0, "alice");
    advance(20);
    CHECK_EVENT(a, "count", "\"count\":1}");
    advance(5000);
    struct client *tab = joined(1, "alice"), *nobody = joined(2, NULL);
    advance(20);
    CHECK_EVENT(tab, "count", "\"count\":1}");
    CHECK_EVENT(nobody, "count", "\"count\":1}");
    end();
}

TEST(back_at_the_limit_all_are_synced_and_names_go_on)
{
    begin();
    options.list_up_to = 2;
    struct client *a = joined(0, "alice"), *b = joined(1, "bob"), *c = joined(2, "carol");
    advance(9000);
    skip(a);
    op(c, "leave", "");
    advance(20);
    CHECK_EVENT(a, "sync", "\"bob\"");
    op(b, "leave", "");
    CHECK_EVENT(a, "leave", "bob");
    b = joined(1, "bob");
    CHECK_EVENT(a, "join", "bob");
    joined(2, "carol"); /* over it again, and a sync was told just now */
    CHECK_QUIET(a);
    op(b, "leave", "");
    CHECK_QUIET(a);
    advance(1000);
    CHECK_EVENT(a, "sync", "carol");
    CHECK_QUIET(a);
    end();
}

/* --- everybody's view, at random -------------------------------------------------------------- */

enum { USERS = 6, CLIENTS = 60, STEPS = 400 };

/* What a client believes after all it was told. */
struct view {
    bool there[USERS], counting, synced; /* synced: since its last join */
    int data[USERS]; /* -1: none */
};

static int data_in(const char *line)
{
    const char *at = strstr(line, "\"data\":");
    return at ? atoi(at + 7) : -1;
}

static void see_list(struct view *v, const char *line)
{
    *v = (struct view){.synced = true};
    for (const char *at = line; (at = strstr(at, "{\"user\":\"u"));) {
        char one[256];
        int user = (at += 10)[0] - '0';
        snprintf(one, sizeof(one), "%.*s", (int)strcspn(at, "}"), at);
        v->there[user] = true;
        v->data[user] = data_in(one);
    }
}

static void see(struct view *v, const char *line)
{
    const char *user = strstr(line, "\"user\":\"u");
    int u = user ? user[9] - '0' : 0;
    if (strstr(line, "\"event\":\"sync\"")) {
        see_list(v, line);
    } else if (strstr(line, "\"event\":\"count\"")) {
        v->counting = v->synced = true;
    } else if (strstr(line, "\"event\":\"leave\"")) {
        CHECK(v->counting || !v->synced || v->there[u]);
        v->there[u] = false;
    } else {
        bool update = strstr(line, "\"event\":\"update\"") != NULL;
        CHECK(v->counting || !v->synced || v->there[u] == update);
        v->there[u] = true;
        v->data[u] = data_in(line);
    }
}

struct actor {
    struct client *c;
    int user;
    bool in;
    struct view view;
};

static struct actor actors[CLIENTS];
static int n_actors;
static unsigned seed;

static unsigned dice(unsigned sides)
{
    return (unsigned)rand_r(&seed) / 7 % sides;
}

static void come(void)
{
    struct actor *a = &actors[n_actors++];
    char user[4];
    *a = (struct actor){.user = (int)dice(USERS)};
    snprintf(user, sizeof(user), "u%d", a->user);
    a->c = client_open(p, (int)dice(WORKERS), user, false);
}

static void act(struct actor *a)
{
    char more[32] = "", json[256];
    if (dice(2))
        snprintf(more, sizeof(more), ",\"data\":%u", dice(3));
    switch (dice(6)) {
    case 0:
        snprintf(json, sizeof(json), "{\"type\":\"leave\",\"room\":\"%s\"}", room);
        client_send_quietly(a->c, json);
        a->in = false;
        break;
    case 1:
        session_end(a->c->session, HB_END_CLIENT, dice(2));
        a->in = false;
        break;
    case 2:
        snprintf(json, sizeof(json), "{\"type\":\"presence\",\"room\":\"%s\"%s}", room, more);
        client_send_quietly(a->c, json);
        break;
    default:
        client_send_quietly(a->c, join_op(more));
        a->in = true;
    }
}

static void look(struct actor *a)
{
    const char *line;
    while (*(line = client_next(a->c))) {
        if (strstr(line, "\"id\":\"j\",\"ok\":true"))
            a->view.synced = false;
        if (strstr(line, "\"type\":\"presence\""))
            see(&a->view, line);
    }
}

/* All members believe the same, and that those are there who are. */
static void check_views(void)
{
    bool there[USERS] = {false};
    const struct actor *first = NULL;
    int users = 0;
    for (int i = 0; i < n_actors; i++)
        if (actors[i].in)
            there[actors[i].user] = true;
    for (int u = 0; u < USERS; u++)
        users += there[u];
    for (int i = 0; i < n_actors; i++) {
        struct actor *a = &actors[i];
        look(a);
        if (!a->in)
            continue;
        CHECK(a->view.synced);
        CHECK_INT(a->view.counting, users > options.list_up_to);
        for (int u = 0; u < USERS && !a->view.counting; u++) {
            CHECK_INT(a->view.there[u], there[u]);
            if (first && there[u])
                CHECK_INT(a->view.data[u], first->view.data[u]);
        }
        first = first ? first : a;
    }
}

static void round_of(int home)
{
    begin_with("workers: 4\nrooms: [{match: '*', presence: true, history: {messages: 10}}]\n",
        home);
    options = (struct options){.grace_ms = dice(2) * 50, .list_up_to = dice(2) ? 200 : 3};
    n_actors = 0;
    for (int i = 0; i < STEPS; i++) {
        if (n_actors < CLIENTS && dice(6) == 0)
            come();
        struct actor *a = n_actors ? &actors[dice((unsigned)n_actors)] : NULL;
        if (a && a->c->session && a->c->session->state == SESSION_OPEN)
            act(a);
        if (dice(3) == 0)
            advance(dice(40));
        if (dice(50) == 0) {
            advance(100);
            advance(3000);
            check_views();
        }
    }
    end();
}

TEST(random_sessions_on_four_workers_all_see_who_is_there)
{
    seed = 4711;
    for (int i = 0; i < 100; i++)
        round_of(i % WORKERS);
}
