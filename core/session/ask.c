#include "session/ask.h"
#include "base/check.h"
#include "base/clock.h"
#include "session/registry.h"
#include <stdlib.h>

enum { TIMEOUT_MS = 10000, TIMEOUT_MAX_MS = 24 * 3600 * 1000, ASKS_MAX = 1 << 20 /* of a worker */ };

struct ask {
    struct timer timer;
    struct shard *s;
    hb_sid sid;             /* 0: free */
    uint32_t slot, generation;
    uint32_t next_free;     /* slot + 1 */
    uint32_t older, newer;  /* of the same session: slot + 1 */
    struct asker who;
};

struct asks {
    struct ask **slots;     /* made when first used, kept */
    uint32_t n, cap, first_free;
};

static struct ask *at_slot(const struct asks *all, uint32_t slot_plus_1)
{
    return slot_plus_1 ? all->slots[slot_plus_1 - 1] : NULL;
}

/* --- those of one session: a chain by slots, as most sessions have none and are to stay small ------ */

static void chain(struct asks *all, struct session *ss, struct ask *a)
{
    struct ask *older = at_slot(all, ss->last_ask);
    a->older = ss->last_ask;
    a->newer = 0;
    if (older)
        older->newer = a->slot + 1;
    ss->last_ask = a->slot + 1;
}

static void unchain(struct asks *all, struct session *ss, struct ask *a)
{
    struct ask *older = at_slot(all, a->older), *newer = at_slot(all, a->newer);
    if (older)
        older->newer = a->newer;
    if (newer)
        newer->older = a->older;
    else
        ss->last_ask = a->older;
}

/* --- slots ---------------------------------------------------------------------------------------- */

static void settle(struct session *ss, struct ask *a, hb_code code, hb_str data)
{
    struct asks *all = a->s->registry->asks;
    struct asker who = a->who;
    unchain(all, ss, a);
    timer_cancel(&a->s->wheel, &a->timer);
    a->sid = 0;
    a->generation++;
    a->next_free = all->first_free;
    all->first_free = a->slot + 1;
    who.done(a->s, &who, code, data);
}

static void on_timeout(struct timer *t)
{
    struct ask *a = container_of(t, struct ask, timer);
    struct session *ss = session_find(a->s, a->sid);
    CHECK_INVARIANT(ss); /* else asks_abandon */
    settle(ss, a, HB_UNAVAILABLE, (hb_str){NULL, 0});
}

/* NULL: there are too many. */
static struct ask *take_slot(struct registry *r)
{
    if (!r->asks)
        r->asks = mem_zalloc(sizeof(*r->asks));
    struct asks *all = r->asks;
    struct ask *a = at_slot(all, all->first_free);
    if (a) {
        all->first_free = a->next_free;
        return a;
    }
    if (all->n == ASKS_MAX)
        return NULL;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 8;
        all->slots = mem_realloc(all->slots, all->cap * sizeof(*all->slots));
    }
    a = mem_zalloc(sizeof(*a));
    timer_init(&a->timer, on_timeout);
    a->slot = all->n;
    a->generation = 1;
    all->slots[all->n++] = a;
    return a;
}

static struct ask *find(const struct session *ss, uint64_t id)
{
    const struct asks *all = ss->s->registry->asks;
    struct ask *a = all && (uint32_t)id < all->n ? all->slots[(uint32_t)id] : NULL;
    return a && a->sid == ss->sid && a->generation == (uint32_t)(id >> 32) ? a : NULL;
}

int64_t ask_timeout(int64_t timeout_ms)
{
    return timeout_ms > 0 && timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MS;
}

bool ask_session(struct session *ss, hb_event *ev, const struct asker *who, int64_t timeout_ms)
{
    const hb_transport *t = session_transport(ss);
    struct ask *a = t->event ? take_slot(ss->s->registry) : NULL;
    if (!a) {
        who->done(ss->s, who, t->event ? HB_UNAVAILABLE : HB_NOT_FOUND, (hb_str){NULL, 0});
        return t->event != NULL;
    }
    a->s = ss->s;
    a->sid = ss->sid;
    a->who = *who;
    chain(ss->s->registry->asks, ss, a);
    timer_set(&ss->s->wheel, &a->timer, clock_mono_ms() + (uint64_t)ask_timeout(timeout_ms));
    ev->ask = (uint64_t)a->generation << 32 | a->slot;
    if (t->event(session_ctx(ss), ss->conn, ev))
        return true;
    a = find(ss, ev->ask);
    if (a)
        settle(ss, a, HB_NOT_FOUND, (hb_str){NULL, 0});
    return false;
}

void net_answer(hb_session *session, uint64_t id, hb_str data)
{
    struct session *ss = (struct session *)session;
    struct ask *a = find(ss, id);
    if (a)
        settle(ss, a, HB_OK, data);
}

void asks_abandon(struct session *ss)
{
    while (ss->last_ask)
        settle(ss, at_slot(ss->s->registry->asks, ss->last_ask), HB_UNAVAILABLE, (hb_str){NULL, 0});
}

void asks_destroy(struct asks *all)
{
    for (uint32_t i = 0; all && i < all->n; i++)
        free(all->slots[i]);
    if (all)
        free(all->slots);
    free(all);
}
