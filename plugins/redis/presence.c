#include "presence.h"
#include "room.h"
#include "script.h"
#include <stdio.h>
#include <string.h>

enum { TRIES = 5 };

/* A session of this node that is present. */
struct present {
    struct list link;      /* in room->present */
    hb_sid origin;
    hb_str user, session, data; /* in `bytes`; data owned by itself; absent: none given */
    char bytes[];
};

/* A command that somebody waits for. */
struct saying {
    struct command c;
    struct list link;      /* in room->sayings */
    struct room *room;     /* NULL: it is gone */
    struct worker *w;
    hb_done *done;         /* NULL: nobody waits */
    size_t limit;          /* a list */
    int tries;
};

/* --- saying --------------------------------------------------------------------------------------- */

static void finish(struct saying *s, const hb_result *result)
{
    hb_done *done = s->done;
    list_remove(&s->link);
    free(s);
    if (done)
        done->fn(done, result);
}

/* What Redis did not hear is said again, all of it, under a new name. */
static void on_said(struct command *c, const redisReply *reply)
{
    struct saying *s = container_of(c, struct saying, c);
    hb_result result = {.code = HB_OK};
    if (!reply || reply_is_error(reply))
        s->w->doubt = true;
    finish(s, &result);
}

static struct saying *saying(struct room *r, hb_done *done, void (*on)(struct command *, const redisReply *))
{
    struct saying *s = mem_zalloc(sizeof(*s));
    *s = (struct saying){.c = {.done = on}, .room = r, .w = r->w, .done = done};
    list_insert(&r->sayings, &s->link);
    return s;
}

static void say_present(struct room *r, const struct present *p, hb_str data, hb_done *done)
{
    char owner[24];
    struct saying *s = saying(r, done, on_said);
    pipe_send(&r->w->pipe, &s->c, 9, (hb_str[]){HB_STR("EVALSHA"), {script_sha(SCRIPT_PRESENT), SCRIPT_SHA - 1},
        HB_STR("0"), worker_prefix(r->w), room_name(r), text_hex(r->w->owner, owner), p->user, p->session,
        data.p ? data : HB_STR("")}, ASK_MS);
}

/* --- this node's sessions --------------------------------------------------------------------------- */

static struct present *find(const struct room *r, hb_str session)
{
    for (struct list *at = r->present.next; at != &r->present; at = at->next) {
        struct present *p = list_entry(at, struct present, link);
        if (p->session.n == session.n && memcmp(p->session.p, session.p, session.n) == 0)
            return p;
    }
    return NULL;
}

static struct present *add(struct room *r, hb_str user, hb_str session, hb_sid origin)
{
    struct present *p = mem_zalloc(sizeof(*p) + user.n + session.n);
    memcpy(p->bytes, user.p, user.n);
    memcpy(p->bytes + user.n, session.p, session.n);
    p->user = (hb_str){p->bytes, user.n};
    p->session = (hb_str){p->bytes + user.n, session.n};
    p->origin = origin;
    list_insert(&r->present, &p->link);
    return p;
}

static void destroy(struct present *p)
{
    list_remove(&p->link);
    free((void *)(uintptr_t)p->data.p);
    free(p);
}

void presence_set(struct room *r, hb_str user, hb_str session, hb_sid origin, hb_str data, hb_done *done)
{
    struct present *p = find(r, session);
    if (!p)
        p = add(r, user, session, origin);
    if (data.p) {
        char *copy = malloc(data.n + 1);
        if (copy) {
            memcpy(copy, data.p, data.n);
            free((void *)(uintptr_t)p->data.p);
            p->data = (hb_str){copy, data.n};
        }
    }
    say_present(r, p, data, done);
}

void presence_drop(struct room *r, hb_str session, int64_t grace_ms, hb_done *done)
{
    char grace[24];
    struct present *p = find(r, session);
    struct saying *s = saying(r, done, on_said);
    pipe_send(&r->w->pipe, &s->c, 7, (hb_str[]){HB_STR("EVALSHA"), {script_sha(SCRIPT_ABSENT), SCRIPT_SHA - 1},
        HB_STR("0"), worker_prefix(r->w), room_name(r), session,
        {grace, (size_t)snprintf(grace, sizeof(grace), "%lld", (long long)grace_ms)}}, ASK_MS);
    if (p)
        destroy(p);
}

void presence_forget(struct room *r)
{
    while (!list_empty(&r->present))
        destroy(list_entry(r->present.next, struct present, link));
    while (!list_empty(&r->sayings)) {
        struct saying *s = list_entry(r->sayings.next, struct saying, link);
        hb_result result = {.code = HB_UNAVAILABLE};
        hb_done *done = s->done;
        list_remove(&s->link);
        s->room = NULL;
        s->done = NULL;
        if (done)
            done->fn(done, &result);
    }
}

/* --- changes ---------------------------------------------------------------------------------------- */

static void tell_unknown(struct room *r)
{
    hb_presence_event ev = {.size = sizeof(ev), .kind = HB_PRESENCE_SYNC, .count = -1};
    r->w->store->presence(r->home, &ev);
}

struct change {
    unsigned long long version;
    char kind;
    int64_t count;
    hb_str user, session, data;
};

static bool parse_change(hb_str s, struct change *c)
{
    char head[96];
    int user, session, used = 0, count;
    size_t n = s.n < sizeof(head) - 1 ? s.n : sizeof(head) - 1;
    memcpy(head, s.p, n);
    head[n] = '\0';
    if (sscanf(head, "p %20llu %9d %c %4d %4d%n", &c->version, &count, &c->kind, &user, &session, &used) != 5 ||
        head[used] != ' ' || user < 0 || session < 0 || count < 0 || s.n <= (size_t)used + 1 + (size_t)user + (size_t)session)
        return false;
    const char *at = s.p + used + 1;
    c->count = count;
    c->user = (hb_str){at, (size_t)user};
    c->session = (hb_str){at + user, (size_t)session};
    at += user + session;
    c->data = *at == '+' ? (hb_str){at + 1, (size_t)(s.p + s.n - at - 1)} : (hb_str){NULL, 0};
    return c->kind == 'j' || c->kind == 'l' || c->kind == 'u';
}

void presence_push(struct room *r, hb_str payload)
{
    struct change c;
    if (!parse_change(payload, &c) || (r->version && c.version <= r->version && r->version - c.version < 1000000))
        return;
    bool next = !r->version || c.version == r->version + 1;
    r->version = c.version;
    if (!next) {
        tell_unknown(r);
        return;
    }
    const struct present *p = find(r, c.session);
    hb_presence_event ev = {.size = sizeof(ev), .user = c.user, .session = c.session, .data = c.data, .count = c.count,
        .origin = p ? p->origin : 0};
    ev.kind = c.kind == 'j' ? HB_PRESENCE_JOIN : c.kind == 'l' ? HB_PRESENCE_LEAVE : HB_PRESENCE_UPDATE;
    r->w->store->presence(r->home, &ev);
}

void presence_version(struct room *r, uint64_t now)
{
    bool still = r->suspect && r->version < r->suspect; /* a push may have been under way the first time */
    bool same = !r->version || now == r->version;
    r->suspect = same || still ? 0 : now;
    if (same || (!still && now > r->version))
        return;
    r->version = now;
    tell_unknown(r);
}

/* --- who is there -------------------------------------------------------------------------------------- */

static bool parse_user(hb_str user, hb_str s, hb_present *out)
{
    char head[128];
    long long sessions, since, until;
    int used = 0;
    size_t n = s.n < sizeof(head) - 1 ? s.n : sizeof(head) - 1;
    memcpy(head, s.p ? s.p : "", n);
    head[n] = '\0';
    if (sscanf(head, "%9lld %18lld %18lld %*63s %n", &sessions, &since, &until, &used) != 3 || used <= 0 || (size_t)used >= s.n)
        return false;
    *out = (hb_present){.user = user, .sessions = sessions, .since = since};
    if (s.p[used] == '+')
        out->data = (hb_str){s.p + used + 1, s.n - (size_t)used - 1};
    return true;
}

static int by_since(const void *a, const void *b)
{
    const hb_present *x = a, *y = b;
    if (x->since != y->since)
        return x->since < y->since ? -1 : 1;
    return memcmp(x->user.p, y->user.p, x->user.n < y->user.n ? x->user.n : y->user.n);
}

static void send_list(struct saying *s);

/* Members have been told more than this list holds: it is asked for again. */
static bool is_old(struct saying *s, uint64_t version)
{
    return s->room->interested && s->room->version > version && s->room->version - version < 1000000 && ++s->tries < TRIES;
}

static void answer_list(struct saying *s, const redisReply *reply)
{
    size_t n = 0, most = (reply->elements - 2) / 2;
    const redisReply *count = reply_at(reply, 1);
    hb_present *list = mem_zalloc((most + 1) * sizeof(*list));
    for (size_t i = 0; i < most; i++)
        n += parse_user(reply_str(reply_at(reply, 2 + 2 * i)), reply_str(reply_at(reply, 3 + 2 * i)), &list[n]);
    qsort(list, n, sizeof(*list), by_since);
    hb_result result = {.code = HB_OK, .present = list, .n_present = n < s->limit ? n : s->limit,
        .count = count->type == REDIS_REPLY_INTEGER ? count->integer : (int64_t)n};
    finish(s, &result);
    free(list);
}

static void on_list(struct command *c, const redisReply *reply)
{
    struct saying *s = container_of(c, struct saying, c);
    hb_str text = reply_str(reply_at(reply, 0));
    hb_result none = {.code = HB_UNAVAILABLE};
    if (!s->room || !text.p || reply->elements < 2) {
        finish(s, &none);
        return;
    }
    uint64_t version = strtoull(text.p, NULL, 10);
    if (is_old(s, version)) {
        send_list(s);
        return;
    }
    if (version > 0 && !s->room->version)
        s->room->version = version;
    answer_list(s, reply);
}

static void send_list(struct saying *s)
{
    struct room *r = s->room;
    s->c = (struct command){.done = on_list};
    pipe_send(&r->w->pipe, &s->c, 6, (hb_str[]){HB_STR("EVALSHA"), {script_sha(SCRIPT_WHO), SCRIPT_SHA - 1},
        HB_STR("0"), worker_prefix(r->w), room_name(r), HB_STR("5000")}, ASK_MS);
}

void presence_list(struct room *r, size_t limit, hb_done *done)
{
    struct saying *s = saying(r, done, on_list);
    s->limit = limit;
    send_list(s);
}

/* --- the worker's owner name ----------------------------------------------------------------------------- */

static void say_all(struct worker *w)
{
    struct room *r;
    size_t at = 0;
    while ((r = table_next(&w->rooms, &at)))
        for (struct list *i = r->present.next; i != &r->present; i = i->next) {
            const struct present *p = list_entry(i, struct present, link);
            say_present(r, p, p->data, NULL);
        }
}

struct ticking {
    struct command c;
    struct worker *w;
    uint64_t renewed;      /* whose lease; 0: nobody's */
};

static void send_tick(struct worker *w, bool renew, uint64_t dead);

/* Not alive: the others have removed what we had, or Redis has lost it. More is due: at once, as a node
 * that died may have had thousands. */
static void on_ticked(struct command *c, const redisReply *reply)
{
    struct ticking *k = container_of(c, struct ticking, c);
    struct worker *w = k->w;
    long long done = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    w->ticking = false;
    if (done >= 0 && k->renewed == w->owner) {
        w->doubt |= w->leased && !(done & 1);
        w->leased = true;
    }
    free(k);
    if (done > 0 && (done & 2))
        send_tick(w, false, 0);
}

static void send_tick(struct worker *w, bool renew, uint64_t dead)
{
    char owner[24], lease[24], old[24];
    struct ticking *k = mem_zalloc(sizeof(*k));
    *k = (struct ticking){.c = {.done = on_ticked, .once = true}, .w = w, .renewed = renew ? w->owner : 0};
    w->ticking = true;
    hb_str words[] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_TICK), SCRIPT_SHA - 1}, HB_STR("0"), worker_prefix(w),
        text_hex(w->owner, owner), {lease, 0}, dead ? text_hex(dead, old) : HB_STR("")};
    words[5].n = (size_t)snprintf(lease, sizeof(lease), "%lld", (long long)(renew ? worker_options(w)->lease_ms : 0));
    pipe_send(&w->pipe, &k->c, 7, words, ASK_MS);
}

static void take_new_name(struct worker *w)
{
    uint64_t old = w->owner;
    w->doubt = false;
    w->leased = false;
    w->owner = old + 1;
    send_tick(w, true, 0);
    say_all(w);
    send_tick(w, false, old);
}

void presence_tick(struct worker *w, uint64_t now_ms)
{
    if (!pipe_is_up(&w->pipe))
        return;
    if (w->doubt) {
        take_new_name(w);
        return;
    }
    bool renew = now_ms >= w->renew_due_ms;
    if (renew)
        w->renew_due_ms = now_ms + (uint64_t)worker_options(w)->lease_ms / 4;
    if (renew || !w->ticking)
        send_tick(w, renew, 0);
}

void presence_back(struct worker *w)
{
    w->renew_due_ms = 0;
}
