#include "ledger.h"
#include "tally.h"
#include "text.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct event {
    struct event *next;
    size_t n;
    char json[];
};

struct ledger {
    pthread_mutex_t lock;
    struct ledger_settings settings;
    struct tally *rooms, *users;
    struct event *first, *last;
    size_t n;
    char instance[SIGN_ID_MAX];
    char id[SIGN_ID_MAX];   /* of the batch that is out; "": none */
    size_t out;             /* its events: the first of the queue */
    uint64_t out_lost;      /* `lost` as it said */
    uint64_t lost;          /* events that the backend will never see, not told yet */
    uint64_t overflowed;
};

struct ledger *ledger_create(const struct ledger_settings *settings)
{
    struct ledger *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->settings = *settings;
    l->rooms = tally_create();
    l->users = tally_create();
    sign_id(l->instance);
    memcpy(l->instance, "node", 4);
    if (l->rooms && l->users)
        return l;
    ledger_destroy(l);
    return NULL;
}

static void drop_first(struct ledger *l)
{
    struct event *e = l->first;
    l->first = e->next;
    if (!l->first)
        l->last = NULL;
    l->n--;
    free(e);
}

void ledger_destroy(struct ledger *l)
{
    if (!l)
        return;
    while (l->first)
        drop_first(l);
    tally_destroy(l->rooms);
    tally_destroy(l->users);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void ledger_configure(struct ledger *l, const struct ledger_settings *settings)
{
    pthread_mutex_lock(&l->lock);
    l->settings = *settings;
    pthread_mutex_unlock(&l->lock);
}

/* ---- Events. With the lock. */

static struct text begin(int64_t ts, const char *type)
{
    struct text t = TEXT_INIT;
    text_lit(&t, "{");
    text_put(&t, "type", (hb_str){type, strlen(type)});
    text_put_int(&t, "ts", ts);
    return t;
}

/* True: it is the only one. Frees the text. */
static bool append(struct ledger *l, struct text *t)
{
    text_lit(t, "}");
    bool fits = !t->failed && l->n < l->settings.queue;
    struct event *e = fits ? malloc(sizeof(*e) + t->n) : NULL;
    if (!e) {
        l->lost++;
        l->overflowed++;
    } else {
        e->next = NULL;
        e->n = t->n;
        memcpy(e->json, t->p, t->n);
        if (l->last)
            l->last->next = e;
        else
            l->first = e;
        l->last = e;
        l->n++;
    }
    text_finish(t);
    return e && l->n == 1;
}

static bool append_name(
    struct ledger *l, int64_t ts, const char *type, const char *key, hb_str name)
{
    struct text t = begin(ts, type);
    text_put(&t, key, name);
    return append(l, &t);
}

/* ---- What happened. */

bool ledger_server(struct ledger *l, int64_t ts, const char *type)
{
    bool wake = false;
    pthread_mutex_lock(&l->lock);
    if (l->settings.told) {
        struct text t = begin(ts, type);
        wake = append(l, &t);
    }
    pthread_mutex_unlock(&l->lock);
    return wake;
}

bool ledger_session(
    struct ledger *l, int64_t ts, const char *type, const hb_session_info *who, const char *reason)
{
    bool wake = false;
    pthread_mutex_lock(&l->lock);
    if (l->settings.told & TELL_SESSIONS) {
        struct text t = begin(ts, type);
        text_put(&t, "session", who->id);
        text_put(&t, "user", who->user);
        text_put(&t, "remote", who->remote);
        text_put(&t, "transport", who->transport);
        if (reason)
            text_put(&t, "reason", (hb_str){reason, strlen(reason)});
        wake = append(l, &t);
    }
    pthread_mutex_unlock(&l->lock);
    return wake;
}

static bool expire(struct ledger *l, int64_t ts, uint64_t now_ms)
{
    hb_str name;
    bool wake = false;
    while (tally_expire(l->rooms, now_ms, &name))
        if (l->settings.told & TELL_ROOMS)
            wake |= append_name(l, ts, "room_vacated", "room", name);
    while (tally_expire(l->users, now_ms, &name))
        if (l->settings.told & TELL_USERS)
            wake |= append_name(l, ts, "user_offline", "user", name);
    return wake;
}

static uint64_t next_due(const struct ledger *l)
{
    uint64_t rooms = tally_due(l->rooms), users = tally_due(l->users);
    return rooms < users ? rooms : users;
}

bool ledger_room(
    struct ledger *l, int64_t ts, uint64_t now_ms, hb_str room, bool joined, bool at_once)
{
    pthread_mutex_lock(&l->lock);
    uint64_t due = next_due(l);
    bool wake = false;
    if (!joined) {
        tally_remove(l->rooms, room, now_ms, at_once ? 0 : l->settings.grace_ms);
        wake = expire(l, ts, now_ms);
    } else if (tally_add(l->rooms, room) && l->settings.told & TELL_ROOMS) {
        wake = append_name(l, ts, "room_occupied", "room", room);
    }
    wake |= next_due(l) < due;
    pthread_mutex_unlock(&l->lock);
    return wake;
}

bool ledger_user(struct ledger *l, int64_t ts, uint64_t now_ms, hb_str user, bool opened)
{
    pthread_mutex_lock(&l->lock);
    uint64_t due = next_due(l);
    bool wake = false;
    if (!opened) {
        tally_remove(l->users, user, now_ms, l->settings.grace_ms);
        wake = expire(l, ts, now_ms);
    } else if (tally_add(l->users, user) && l->settings.told & TELL_USERS) {
        wake = append_name(l, ts, "user_online", "user", user);
    }
    wake |= next_due(l) < due;
    pthread_mutex_unlock(&l->lock);
    return wake;
}

uint64_t ledger_tick(struct ledger *l, int64_t ts, uint64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    expire(l, ts, now_ms);
    uint64_t due = next_due(l);
    pthread_mutex_unlock(&l->lock);
    return due;
}

void ledger_vacate(struct ledger *l, int64_t ts)
{
    pthread_mutex_lock(&l->lock);
    expire(l, ts, UINT64_MAX - 1);
    pthread_mutex_unlock(&l->lock);
}

/* ---- Batches. */

static struct text write_batch(const struct ledger *l)
{
    struct text t = TEXT_INIT;
    const struct event *e = l->first;
    text_lit(&t, "{\"type\":\"events\"");
    text_put(&t, "instance", (hb_str){l->instance, strlen(l->instance)});
    text_put_int(&t, "lost", (int64_t)l->out_lost);
    text_key(&t, "events");
    for (size_t i = 0; i < l->out; i++, e = e->next) {
        text_lit(&t, i ? "," : "[");
        text_raw(&t, e->json, e->n);
    }
    text_lit(&t, "]}");
    return t;
}

struct batch ledger_batch(struct ledger *l, size_t max)
{
    struct batch b = {.body = NULL};
    pthread_mutex_lock(&l->lock);
    if (!l->id[0] && l->n > 0) {
        sign_id(l->id);
        l->out = l->n < max ? l->n : max;
        l->out_lost = l->lost;
    }
    if (l->id[0]) {
        struct text t = write_batch(l);
        b.body = text_take(&t, &b.n);
        b.events = l->out;
        memcpy(b.id, l->id, sizeof(b.id));
    }
    pthread_mutex_unlock(&l->lock);
    return b;
}

void ledger_settle(struct ledger *l, bool taken)
{
    pthread_mutex_lock(&l->lock);
    if (l->id[0]) {
        if (taken)
            l->lost -= l->out_lost;
        else
            l->lost += l->out;
        while (l->out > 0) {
            drop_first(l);
            l->out--;
        }
        l->id[0] = '\0';
    }
    pthread_mutex_unlock(&l->lock);
}

size_t ledger_waiting(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->n;
    pthread_mutex_unlock(&l->lock);
    return n;
}

uint64_t ledger_overflowed(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t n = l->overflowed;
    l->overflowed = 0;
    pthread_mutex_unlock(&l->lock);
    return n;
}
