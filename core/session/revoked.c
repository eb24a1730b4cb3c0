#include "session/revoked.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "session/cluster.h"
#include "session/registry.h"
#include "session/tour.h"
#include <stdlib.h>
#include <string.h>

enum { TOLD_AT_ONCE = 200, LOOKED_AT_ONCE = 20000, TELLING_MS = 100 };

struct entry {
    struct list by_age;
    bool is_user;
    unsigned round;          /* of revoked->round, when it was heard last */
    int64_t issued_before_ms, until_ms;
    hb_str name;             /* in `bytes` */
    char bytes[];
};

struct revoked {
    struct map ids, users;   /* name → struct entry */
    struct list by_age;      /* the oldest first */
    unsigned round;          /* how often all was told that the backend keeps */
    struct shard *s;
    struct timer telling;    /* set while `untold` is not all of the list */
    struct list *untold;     /* from here on: is each of them kept? */
};

/* --- the list ----------------------------------------------------------------------------------- */

static hb_str name_of(const void *entry)
{
    return ((const struct entry *)entry)->name;
}

static void tell_some(struct timer *t);

static struct revoked *list_of(struct shard *s)
{
    struct revoked *r = s->registry->revoked;
    if (r)
        return r;
    r = s->registry->revoked = mem_zalloc(sizeof(*r));
    map_init(&r->ids, name_of);
    map_init(&r->users, name_of);
    list_init(&r->by_age);
    timer_init(&r->telling, tell_some);
    r->untold = &r->by_age;
    r->s = s;
    return r;
}

static void forget(struct revoked *r, struct entry *e)
{
    map_remove(e->is_user ? &r->users : &r->ids, e->name);
    if (r->untold == &e->by_age)
        r->untold = e->by_age.next;
    list_remove(&e->by_age);
    free(e);
}

void revoked_destroy(struct revoked *r)
{
    if (!r)
        return;
    while (!list_empty(&r->by_age))
        forget(r, list_entry(r->by_age.next, struct entry, by_age));
    timer_cancel(&r->s->wheel, &r->telling);
    map_finish(&r->ids);
    map_finish(&r->users);
    free(r);
}

static void make_room(struct revoked *r)
{
    if (r->ids.count + r->users.count < REVOKED_MAX)
        return;
    struct entry *oldest = list_entry(r->by_age.next, struct entry, by_age);
    if (!oldest->until_ms || oldest->until_ms > clock_wall_ms())
        log_write(LOG_WARN, "revocations", "more than %d: the oldest one is forgotten", REVOKED_MAX);
    forget(r, oldest);
}

static hb_str name_in(const struct revocation *what)
{
    return what->token_id.p ? what->token_id : what->user;
}

static struct entry *entry_for(const struct revoked *r, const struct revocation *what)
{
    return map_get(what->token_id.p ? &r->ids : &r->users, name_in(what));
}

/* Those that are not the whole of what is known are not what has to be kept. */
static void mark(const struct revoked *r, struct entry *e, const struct revocation *what)
{
    if (what->until_ms == e->until_ms && (!e->is_user || what->issued_before_ms == e->issued_before_ms))
        e->round = r->round;
}

static bool is_longer(int64_t until_ms, int64_t than_ms)
{
    return than_ms && (!until_ms || until_ms > than_ms);
}

/* Of two for one name the stricter parts count. */
static void remember(struct revoked *r, const struct revocation *what)
{
    bool is_user = !what->token_id.p;
    hb_str name = name_in(what);
    struct entry *e = entry_for(r, what);
    if (e) {
        if (what->issued_before_ms > e->issued_before_ms)
            e->issued_before_ms = what->issued_before_ms;
        if (is_longer(what->until_ms, e->until_ms))
            e->until_ms = what->until_ms;
        mark(r, e, what);
        return;
    }
    make_room(r);
    e = mem_alloc(sizeof(*e) + name.n);
    *e = (struct entry){.is_user = is_user, .round = r->round, .issued_before_ms = what->issued_before_ms,
        .until_ms = what->until_ms};
    memcpy(e->bytes, name.p, name.n);
    e->name = (hb_str){e->bytes, name.n};
    list_push_back(&r->by_age, &e->by_age);
    map_put(is_user ? &r->users : &r->ids, e);
}

static struct entry *find(struct revoked *r, const struct map *in, hb_str name)
{
    struct entry *e = name.p ? map_get(in, name) : NULL;
    if (!e || !e->until_ms || e->until_ms > clock_wall_ms())
        return e;
    forget(r, e);
    return NULL;
}

static bool is_revoked(struct revoked *r, const hb_outcome *who)
{
    if (find(r, &r->ids, who->token_id))
        return true;
    const struct entry *e = find(r, &r->users, who->user);
    return e && who->issued_at * 1000 < e->issued_before_ms;
}

hb_verdict revoked_verdict(struct chain *c, hb_verdict verdict)
{
    struct revoked *r = c->s->registry->revoked;
    if (verdict == HB_DENY || !r || !is_revoked(r, &c->out))
        return verdict;
    c->out.code = HB_UNAUTHORIZED;
    c->out.message = HB_STR("this token has been revoked");
    c->out.retry_after_ms = 0;
    return HB_DENY;
}

bool revoked_again(struct shard *s, const struct revocation *what)
{
    struct revoked *r = s->registry->revoked;
    struct entry *e = r ? entry_for(r, what) : NULL;
    if (!e || is_longer(what->until_ms, e->until_ms) || (e->is_user && what->issued_before_ms > e->issued_before_ms))
        return false;
    mark(r, e, what);
    return true;
}

/* --- telling the backend ------------------------------------------------------------------------ */

static void tell(const struct revoked *r, const struct entry *e)
{
    struct revocation what = {.issued_before_ms = e->issued_before_ms, .until_ms = e->until_ms};
    *(e->is_user ? &what.user : &what.token_id) = e->name;
    cluster_revoke(r->s->hub, &what);
}

static void tell_some(struct timer *t)
{
    struct revoked *r = container_of(t, struct revoked, telling);
    int64_t now = clock_wall_ms();
    for (int told = 0, looked = 0; told < TOLD_AT_ONCE && looked < LOOKED_AT_ONCE && r->untold != &r->by_age; looked++) {
        const struct entry *e = list_entry(r->untold, struct entry, by_age);
        r->untold = r->untold->next;
        if (e->round == r->round || (e->until_ms && e->until_ms <= now))
            continue;
        tell(r, e);
        told++;
    }
    if (r->untold != &r->by_age)
        timer_set(&r->s->wheel, t, clock_mono_ms() + TELLING_MS);
}

void revoked_kept(struct shard *s, bool whole)
{
    struct revoked *r = list_of(s);
    r->round += !whole;
    r->untold = whole ? r->by_age.next : &r->by_age;
    if (whole)
        timer_set(&s->wheel, &r->telling, clock_mono_ms());
    else
        timer_cancel(&s->wheel, &r->telling);
}

/* --- telling the workers ------------------------------------------------------------------------ */

struct telling {
    struct tour tour;
    struct revocation what;  /* strings in `bytes` */
    size_t closed;
    void (*done)(size_t closed, void *arg);
    void *arg;
    char bytes[];
};

static bool is_meant(const struct session *ss, const struct revocation *what)
{
    if (ss->state != SESSION_OPEN)
        return false;
    if (what->token_id.p)
        return ss->auth && ss->auth->token_id && str_eq(str_of(ss->auth->token_id), what->token_id);
    int64_t issued_at = ss->auth ? ss->auth->issued_at : 0;
    return ss->user && str_eq(session_user(ss), what->user) && issued_at * 1000 < what->issued_before_ms;
}

static bool close_one(struct session *ss, void *arg)
{
    struct telling *t = arg;
    if (is_meant(ss, &t->what)) {
        session_close(ss, 4001, HB_STR("token revoked"), HB_END_EXPIRED);
        t->closed++;
    }
    return true;
}

static enum tour_step visit(struct tour *tour, struct shard *s)
{
    struct telling *t = container_of(tour, struct telling, tour);
    if (tour->at == 0)
        remember(list_of(s), &t->what);
    return registry_some(s, &tour->at, close_one, t) ? TOUR_NEXT : TOUR_AGAIN;
}

static void on_back(struct tour *tour)
{
    struct telling *t = container_of(tour, struct telling, tour);
    if (t->done)
        t->done(t->closed, t->arg);
    free(t);
}

static void on_lost(struct tour *tour)
{
    free(container_of(tour, struct telling, tour));
}

void revoked_add(struct hub *hub, const struct revocation *what, int back,
    void (*done)(size_t closed, void *arg), void *arg)
{
    bool is_user = !what->token_id.p;
    hb_str name = name_in(what);
    struct telling *t = mem_zalloc(sizeof(*t) + name.n);
    memcpy(t->bytes, name.p, name.n);
    t->what = *what;
    *(is_user ? &t->what.user : &t->what.token_id) = (hb_str){t->bytes, name.n};
    t->done = done;
    t->arg = arg;
    t->tour = (struct tour){.hub = hub, .back_to = back, .visit = visit, .back = on_back, .lost = on_lost};
    tour_begin(&t->tour);
}
