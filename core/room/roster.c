#include "room/roster.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* A session in the room. */
struct seat {
    struct person *person;
    uint32_t n;
    char id[];
};

struct person {
    struct list in_order;
    struct roster *roster;
    struct seat *last;      /* none is left, and this one went last: told in its LEAVE */
    struct timer leaving;   /* set while none is left */
    uint64_t until_ms;      /* the grace of those who went since the last one came */
    int64_t since;
    uint32_t n_seats, n_user;
    hb_str data;            /* owned; absent: none */
    char user[];
};

struct roster {
    struct rosters *all;
    hb_room *room;
    struct map people, seats;
    struct list order;      /* struct person, as they came */
};

static hb_str user_of(const void *person)
{
    const struct person *p = person;
    return (hb_str){p->user, p->n_user};
}

static hb_str id_of(const void *seat)
{
    const struct seat *s = seat;
    return (hb_str){s->id, s->n};
}

struct roster *roster_create(struct rosters *all, hb_room *room)
{
    struct roster *r = mem_zalloc(sizeof(*r));
    r->all = all;
    r->room = room;
    map_init(&r->people, user_of);
    map_init(&r->seats, id_of);
    list_init(&r->order);
    return r;
}

static void drop_data(struct person *p)
{
    p->roster->all->data_bytes -= p->data.n;
    free((void *)(uintptr_t)p->data.p);
    p->data = (hb_str){NULL, 0};
}

static void free_person(struct person *p)
{
    timer_cancel(p->roster->all->wheel, &p->leaving);
    drop_data(p);
    free(p->last);
    free(p);
}

void roster_destroy(struct roster *r)
{
    size_t pos = 0;
    struct seat *seat;
    if (!r)
        return;
    while ((seat = map_next(&r->seats, &pos)))
        free(seat);
    map_finish(&r->seats);
    map_finish(&r->people);
    list_for_each_safe(item, &r->order)
        free_person(list_entry(item, struct person, in_order));
    free(r);
}

static void tell(struct roster *r, hb_presence_kind kind, const struct person *p, hb_str session,
    hb_sid origin)
{
    hb_presence_event ev = {.size = sizeof(ev), .kind = kind, .user = user_of(p),
        .session = session, .origin = origin, .count = roster_count(r)};
    if (kind != HB_PRESENCE_LEAVE)
        ev.data = p->data;
    r->all->changed(r->room, &ev);
}

static void leave(struct person *p)
{
    struct roster *r = p->roster;
    map_remove(&r->people, user_of(p));
    list_remove(&p->in_order);
    tell(r, HB_PRESENCE_LEAVE, p, id_of(p->last), 0);
    free_person(p);
}

static void on_grace_over(struct timer *t)
{
    leave(container_of(t, struct person, leaving));
}

/* --- coming ----------------------------------------------------------------------------------- */

static struct person *add_person(struct roster *r, hb_str user)
{
    struct person *p = mem_zalloc(sizeof(*p) + user.n + 1);
    p->roster = r;
    p->since = clock_wall_ms();
    p->n_user = (uint32_t)user.n;
    memcpy(p->user, user.p, user.n);
    timer_init(&p->leaving, on_grace_over);
    map_put(&r->people, p);
    list_push_back(&r->order, &p->in_order);
    return p;
}

static void add_seat(struct roster *r, struct person *p, hb_str session)
{
    struct seat *seat = mem_alloc(sizeof(*seat) + session.n);
    seat->person = p;
    seat->n = (uint32_t)session.n;
    memcpy(seat->id, session.p, session.n);
    map_put(&r->seats, seat);
    p->n_seats++;
    p->until_ms = 0;
    timer_cancel(r->all->wheel, &p->leaving);
    free(p->last);
    p->last = NULL;
}

/* *changed: they are others than before. */
static hb_code set_data(struct person *p, hb_str data, bool *changed)
{
    struct rosters *all = p->roster->all;
    *changed = false;
    if (!data.p || (p->data.p && str_eq(p->data, data)))
        return HB_OK;
    if (all->data_bytes - p->data.n + data.n > all->data_bytes_max)
        return HB_UNAVAILABLE;
    char *copy = mem_try_alloc(data.n + 1);
    if (!copy)
        return HB_UNAVAILABLE;
    memcpy(copy, data.p, data.n);
    drop_data(p);
    p->data = (hb_str){copy, data.n};
    all->data_bytes += data.n;
    *changed = true;
    return HB_OK;
}

hb_code roster_set(struct roster *r, hb_str user, hb_str session, hb_sid origin, hb_str data)
{
    struct seat *seat = map_get(&r->seats, session);
    struct person *p = seat ? seat->person : map_get(&r->people, user);
    bool came = !p, changed;
    if (came)
        p = add_person(r, user);
    if (!seat)
        add_seat(r, p, session);
    hb_code code = set_data(p, data, &changed);
    if (came || changed)
        tell(r, came ? HB_PRESENCE_JOIN : HB_PRESENCE_UPDATE, p, session, origin);
    return code;
}

/* --- going ------------------------------------------------------------------------------------ */

void roster_drop(struct roster *r, hb_str session, int64_t grace_ms)
{
    uint64_t now = clock_mono_ms();
    struct seat *seat = map_remove(&r->seats, session);
    if (!seat)
        return;
    struct person *p = seat->person;
    if (now + (uint64_t)grace_ms > p->until_ms)
        p->until_ms = now + (uint64_t)grace_ms;
    if (--p->n_seats > 0) {
        free(seat);
        return;
    }
    p->last = seat;
    if (p->until_ms > now)
        timer_set(r->all->wheel, &p->leaving, p->until_ms);
    else
        leave(p);
}

/* --- looking ---------------------------------------------------------------------------------- */

size_t roster_list(const struct roster *r, size_t limit, hb_present *out)
{
    size_t n = 0;
    list_for_each(item, &r->order) {
        const struct person *p = list_entry(item, struct person, in_order);
        if (n == limit)
            break;
        out[n++] = (hb_present){user_of(p), p->data, .sessions = p->n_seats, .since = p->since};
    }
    return n;
}

int64_t roster_count(const struct roster *r)
{
    return (int64_t)r->people.count;
}

int64_t roster_grace_ms(const struct roster *r)
{
    uint64_t now = clock_mono_ms(), longest = now;
    list_for_each(item, &r->order) {
        const struct person *p = list_entry(item, struct person, in_order);
        if (p->n_seats == 0 && p->until_ms > longest)
            longest = p->until_ms;
    }
    return (int64_t)(longest - now);
}
