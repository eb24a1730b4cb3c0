#include "session/own.h"
#include "base/check.h"
#include "base/clock.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/ops.h"
#include <stdlib.h>
#include <string.h>

enum { OWN_ROOM_MAX = 160, AWAY_MS = 500, PORTION = 200, PORTION_MS = 10 };

bool own_room_is(hb_str room)
{
    return room.n > 0 && room.p[0] == '@';
}

bool own_room_has(const struct session *ss)
{
    return ss->user && session_user(ss).n <= OWN_ROOM_MAX - 1;
}

static hb_str name_of(const struct session *ss, char name[static OWN_ROOM_MAX])
{
    hb_str user = session_user(ss);
    name[0] = '@';
    memcpy(name + 1, user.p, user.n);
    return (hb_str){name, user.n + 1};
}

void own_room_join(struct session *ss, hb_str cursor, enum op_origin origin)
{
    char name[OWN_ROOM_MAX];
    if (!own_room_has(ss))
        return;
    hb_op f = {.type = HB_OP_JOIN, .room = name_of(ss, name), .since = cursor};
    ops_input(ss, &f, origin, NULL);
}

bool own_room_is_away(const struct session *ss, const struct op *op)
{
    return ss->s->backend_away && op->origin >= OP_GRANTED && own_room_is(op->f.room) && !op->f.since.p;
}

/* --- those that wait ------------------------------------------------------------------------------ */

struct waiting {
    hb_sid sid;
    hb_pos since;
    bool has_since;
};

/* Of this worker's sessions; each is in it at most once. */
struct own_rooms {
    struct timer timer;
    struct shard *s;
    struct waiting *items;
    size_t n, cap;
};

static void join(struct session *ss, const struct waiting *w)
{
    char name[OWN_ROOM_MAX], cursor[CURSOR_TEXT_MAX];
    hb_str since = {NULL, 0};
    if (w->has_since)
        since = (hb_str){cursor, cursor_write_one(name_of(ss, name), w->since, cursor, sizeof(cursor))};
    own_room_join(ss, since, OP_SERVER);
}

static struct session *find(const struct own_rooms *o, const struct waiting *w)
{
    struct session *ss = session_find(o->s, w->sid);
    return ss && ss->state == SESSION_OPEN ? ss : NULL;
}

static void drop_the_gone(struct own_rooms *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->n; i++)
        if (find(o, &o->items[i]))
            o->items[kept++] = o->items[i];
    o->n = kept;
}

/* A join may be answered at once, and so put another one into the list. */
static void join_some(struct own_rooms *o)
{
    for (size_t left = o->n < PORTION ? o->n : PORTION; left > 0; left--) {
        struct waiting w = o->items[--o->n];
        struct session *ss = find(o, &w);
        if (ss)
            join(ss, &w);
    }
}

static void on_time(struct timer *t)
{
    struct own_rooms *o = container_of(t, struct own_rooms, timer);
    bool away = o->s->backend_away;
    if (away)
        drop_the_gone(o);
    else
        join_some(o);
    if (o->n > 0)
        timer_set(&o->s->wheel, t, clock_mono_ms() + (away ? AWAY_MS : PORTION_MS));
}

static struct own_rooms *waiting_of(struct shard *s)
{
    if (!s->own_rooms) {
        s->own_rooms = mem_zalloc(sizeof(*s->own_rooms));
        s->own_rooms->s = s;
        timer_init(&s->own_rooms->timer, on_time);
    }
    return s->own_rooms;
}

void own_room_later(struct session *ss, const struct op *op)
{
    struct own_rooms *o = waiting_of(ss->s);
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        o->items = mem_realloc(o->items, o->cap * sizeof(*o->items));
    }
    o->items[o->n++] = (struct waiting){ss->sid, op->req.since, op->req.has_since};
    if (o->n == 1)
        timer_set(&ss->s->wheel, &o->timer, clock_mono_ms() + AWAY_MS);
}

void own_rooms_destroy(struct shard *s)
{
    if (!s->own_rooms)
        return;
    timer_cancel(&s->wheel, &s->own_rooms->timer);
    free(s->own_rooms->items);
    free(s->own_rooms);
    s->own_rooms = NULL;
}
