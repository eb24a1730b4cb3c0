/* Who is present in a room: sessions, grace, data; and a naive model beside it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "room/roster.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wheel wheel;
static struct rosters all;
static struct roster *roster;
static struct buf told;

/* "+alice(s1) {}=1 " for a join with data that leaves one user; '-' a leave, '~' an update. */
static void on_changed(hb_room *room, const hb_presence_event *ev)
{
    CHECK(room == (hb_room *)&all);
    CHECK_INT(ev->size, sizeof(*ev));
    buf_char(&told, "+-~"[ev->kind]);
    buf_str(&told, ev->user);
    buf_char(&told, '(');
    buf_str(&told, ev->session);
    buf_char(&told, ')');
    if (ev->data.p)
        buf_printf(&told, "%.*s", (int)ev->data.n, ev->data.p);
    buf_printf(&told, "=%d ", (int)ev->count);
}

static void begin(void)
{
    clock_fake(5000, 1700000000000);
    wheel_init(&wheel, 5000);
    buf_clear(&told);
    all = (struct rosters){.wheel = &wheel, .changed = on_changed, .data_bytes_max = 1000};
    roster = roster_create(&all, (hb_room *)&all);
}

static void end(void)
{
    roster_destroy(roster);
    CHECK_INT(all.data_bytes, 0);
    CHECK_INT(wheel.count, 0);
    clock_real();
}

static hb_code set(const char *user, const char *session, const char *data)
{
    return roster_set(roster, str_of(user), str_of(session), 7, str_of(data));
}

static void drop(const char *session, int64_t grace_ms)
{
    roster_drop(roster, str_of(session), grace_ms);
}

static void advance(uint64_t ms)
{
    clock_fake_advance(ms);
    wheel_advance(&wheel, clock_mono_ms());
}

static void check_told(const char *file, int line, const char *want)
{
    unit_check_str(file, line, "told", buf_view(&told), want);
    buf_clear(&told);
}
#define CHECK_TOLD(want) check_told(__FILE__, __LINE__, want)

/* "alice:2:{} bob:0:- of 2" */
static hb_str listed(size_t limit)
{
    static struct buf text;
    hb_present list[8];
    buf_clear(&text);
    size_t n = roster_list(roster, limit, list);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%.*s:%d:%.*s ", (int)list[i].user.n, list[i].user.p,
            (int)list[i].sessions, list[i].data.p ? (int)list[i].data.n : 1,
            list[i].data.p ? list[i].data.p : "-");
    buf_printf(&text, "of %d", (int)roster_count(roster));
    return buf_view(&text);
}

TEST(a_user_joins_with_its_first_session_and_leaves_with_its_last)
{
    begin();
    set("alice", "s1", NULL);
    set("alice", "s2", NULL);
    CHECK_TOLD("+alice(s1)=1 ");
    CHECK_STR(listed(8), "alice:2:- of 1");
    drop("s1", 0);
    CHECK_TOLD("");
    drop("s2", 0);
    CHECK_TOLD("-alice(s2)=0 ");
    CHECK_STR(listed(8), "of 0");
    end();
}

TEST(a_session_counts_once_however_often_it_is_set_or_dropped)
{
    begin();
    set("alice", "s1", NULL);
    set("alice", "s1", NULL);
    CHECK_STR(listed(8), "alice:1:- of 1");
    drop("nobody", 0);
    drop("s1", 0);
    drop("s1", 0);
    CHECK_TOLD("+alice(s1)=1 -alice(s1)=0 ");
    end();
}

TEST(a_reconnect_within_the_grace_is_no_event)
{
    begin();
    set("alice", "s1", NULL);
    CHECK_TOLD("+alice(s1)=1 ");
    drop("s1", 5000);
    advance(4999);
    CHECK_STR(listed(8), "alice:0:- of 1");
    set("alice", "s2", NULL);
    advance(100000);
    CHECK_TOLD("");
    CHECK_STR(listed(8), "alice:1:- of 1");
    end();
}

TEST(a_leave_goes_out_once_when_the_grace_is_over)
{
    begin();
    set("alice", "s1", "1");
    set("bob", "s2", NULL);
    buf_clear(&told);
    drop("s1", 5000);
    CHECK_INT(roster_grace_ms(roster), 5000);
    advance(4999);
    CHECK_TOLD("");
    CHECK_INT(roster_grace_ms(roster), 1);
    advance(1);
    CHECK_TOLD("-alice(s1)=1 ");
    CHECK_INT(roster_grace_ms(roster), 0);
    advance(100000);
    CHECK_TOLD("");
    set("alice", "s3", NULL);
    CHECK_TOLD("+alice(s3)=2 ");
    end();
}

TEST(the_last_tab_closed_at_once_leaves_the_lost_ones_their_grace)
{
    begin();
    set("alice", "lost", NULL);
    set("alice", "tab", NULL);
    buf_clear(&told);
    drop("lost", 5000);
    advance(1000);
    drop("tab", 0);
    CHECK_TOLD("");
    advance(4000);
    CHECK_TOLD("-alice(tab)=0 ");
    set("alice", "lost", NULL);
    set("alice", "tab", NULL);
    drop("lost", 5000);
    set("alice", "again", NULL); /* back: nobody is awaited any more */
    drop("again", 0);
    drop("tab", 0);
    CHECK_TOLD("+alice(lost)=1 -alice(tab)=0 ");
    end();
}

TEST(data_are_those_given_last_and_an_update_tells_them_when_they_change)
{
    begin();
    set("alice", "s1", "{\"n\":1.10}");
    set("alice", "s2", NULL);
    set("alice", "s2", "{\"n\":1.10}");
    CHECK_TOLD("+alice(s1){\"n\":1.10}=1 ");
    set("alice", "s2", "{\"n\":1.1}");
    CHECK_TOLD("~alice(s2){\"n\":1.1}=1 ");
    drop("s2", 0);
    CHECK_TOLD("");
    CHECK_STR(listed(8), "alice:1:{\"n\":1.1} of 1");
    drop("s1", 5000);
    set("alice", "s3", "null");
    CHECK_TOLD("~alice(s3)null=1 ");
    end();
}

TEST(data_past_the_bound_are_refused_and_the_user_is_there_all_the_same)
{
    char large[1001];
    begin();
    memset(large, '1', 1000);
    large[1000] = '\0';
    CHECK_INT(set("alice", "s1", "[]"), HB_OK);
    CHECK_INT(set("bob", "s2", large), HB_UNAVAILABLE);
    CHECK_TOLD("+alice(s1)[]=1 +bob(s2)=2 ");
    CHECK_INT(set("alice", "s1", large), HB_OK); /* instead of the old ones */
    CHECK_INT(set("bob", "s2", "1"), HB_UNAVAILABLE);
    drop("s1", 0);
    CHECK_INT(set("bob", "s2", "1"), HB_OK);
    end();
}

TEST(the_list_is_in_order_of_arrival_and_says_how_many_are_beyond_it)
{
    begin();
    set("carol", "s1", NULL);
    advance(10);
    set("alice", "s2", NULL);
    set("bob", "s3", NULL);
    hb_present first;
    CHECK_INT(roster_list(roster, 1, &first), 1);
    CHECK_INT(first.since, 1700000000000);
    CHECK_STR(listed(2), "carol:1:- alice:1:- of 3");
    CHECK_STR(listed(0), "of 3");
    drop("s1", 0);
    set("carol", "s1", NULL);
    CHECK_STR(listed(8), "alice:1:- bob:1:- carol:1:- of 3");
    end();
}

/* --- a model ---------------------------------------------------------------------------------- */

enum { USERS = 4, SESSIONS = 12, STEPS = 200000 };

/* Everything by brute force: a session belongs to user (its number % USERS). */
static struct model {
    bool seated[SESSIONS];
    uint64_t until[USERS];
    bool present[USERS];
    int data[USERS]; /* -1: none */
} model;

static int seats(int user)
{
    int n = 0;
    for (int s = user; s < SESSIONS; s += USERS)
        n += model.seated[s];
    return n;
}

static void model_set(int s, int data)
{
    int u = s % USERS;
    if (!model.seated[s])
        model.until[u] = 0;
    model.seated[s] = true;
    if (data >= 0)
        model.data[u] = data;
}

static void model_drop(int s, uint64_t grace)
{
    int u = s % USERS;
    uint64_t until = clock_mono_ms() + grace;
    if (!model.seated[s])
        return;
    model.seated[s] = false;
    if (until > model.until[u])
        model.until[u] = until;
}

/* What is to have been told since the last step: +0 ~2 … by user. */
static void model_settle(const struct model *before, struct buf *want)
{
    for (int u = 0; u < USERS; u++) {
        model.present[u] = seats(u) > 0 || (before->present[u] && model.until[u] > clock_mono_ms());
        if (!model.present[u])
            model.data[u] = -1;
        if (model.present[u] != before->present[u])
            buf_printf(want, "%c%d ", model.present[u] ? '+' : '-', u);
        else if (model.present[u] && model.data[u] != before->data[u])
            buf_printf(want, "~%d ", u);
    }
}

/* The same of the roster, leaves of one moment in order of the user. */
static struct buf got;

static void on_changed_briefly(hb_room *room, const hb_presence_event *ev)
{
    char one[8];
    int n = snprintf(one, sizeof(one), "%c%.*s ", "+-~"[ev->kind], (int)ev->user.n, ev->user.p);
    size_t at = got.n;
    while (at > 0 && got.p[at - 2] > one[1])
        at -= (size_t)n;
    buf_append(&got, one, (size_t)n);
    memmove(got.p + at + n, got.p + at, got.n - (size_t)n - at);
    memcpy(got.p + at, one, (size_t)n);
    CHECK_INT(ev->count, roster_count(roster));
}

static void step(unsigned dice)
{
    static const int64_t graces[] = {0, 0, 3, 10, 40};
    char user[4], session[8], data[8];
    int s = (int)(dice >> 8 & 0xff) % SESSIONS, value = (int)(dice >> 16 & 7) - 4;
    snprintf(user, sizeof(user), "%d", s % USERS);
    snprintf(session, sizeof(session), "s%d", s);
    snprintf(data, sizeof(data), "%d", value);
    if (dice % 10 < 4) {
        set(user, session, value >= 0 ? data : NULL);
        model_set(s, value);
    } else if (dice % 10 < 8) {
        int64_t grace = graces[(dice >> 20) % 5];
        drop(session, grace);
        model_drop(s, (uint64_t)grace);
    } else {
        advance(1);
    }
}

/* Data are not NUL-terminated. */
static int number_of(hb_str data)
{
    char text[16];
    snprintf(text, sizeof(text), "%.*s", (int)data.n, data.p ? data.p : "");
    return data.p ? atoi(text) : -1;
}

static void check_list(void)
{
    hb_present list[USERS];
    size_t n = roster_list(roster, USERS, list);
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        int u = list[i].user.p[0] - '0';
        CHECK(model.present[u]);
        CHECK_INT(list[i].sessions, seats(u));
        CHECK_INT(number_of(list[i].data), model.data[u]);
        total += list[i].sessions;
    }
    for (int s = 0; s < SESSIONS; s++)
        total -= model.seated[s];
    CHECK_INT(total, 0);
}

TEST(random_comings_and_goings_are_told_as_the_naive_model_tells_them)
{
    unsigned seed = 12345;
    begin();
    all.changed = on_changed_briefly;
    memset(&model, 0, sizeof(model));
    for (int u = 0; u < USERS; u++)
        model.data[u] = -1;
    for (int i = 0; i < STEPS; i++) {
        struct model before = model;
        struct buf want = BUF_INIT;
        buf_clear(&got);
        step((unsigned)rand_r(&seed) << 1 ^ (unsigned)rand_r(&seed) >> 3);
        model_settle(&before, &want);
        buf_char(&want, '\0');
        unit_check_str(__FILE__, __LINE__, "told", buf_view(&got), want.p);
        buf_finish(&want);
        check_list();
    }
    end();
}
