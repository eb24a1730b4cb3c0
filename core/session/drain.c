#include "session/drain.h"
#include "base/check.h"
#include "base/clock.h"
#include "out/encode.h"
#include "out/msg.h"
#include "session/registry.h"
#include <stdlib.h>

enum {
    STEP_MS = 20,   /* between two looks at who is next */
    APART_MS = 20,  /* at most, of two that are closed one after the other: few need not wait long */
};

struct place {
    hb_sid sid;
    uint64_t due_ms;
};

struct draining {
    struct shard *s;
    struct timer timer;
    struct place *queue;     /* owned: those that can't be told, in the order of their times */
    size_t n, next;
    size_t all, i;           /* sessions, and which one is looked at */
    size_t stride;           /* see slot */
    uint64_t began_ms;
    int64_t spread_ms;
    bool tells[WIRES_MAX];   /* does this wire form have a word for it? */
};

static const hb_str REASON = {"draining", 8};

void drain_destroy(struct draining *d)
{
    if (!d)
        return;
    timer_cancel(&d->s->wheel, &d->timer);
    free(d->queue);
    free(d);
}

static void ask_wires(struct draining *d)
{
    hb_event bye;
    event_init(&bye, HB_EV_BYE);
    bye.close_code = 1001;
    bye.text = REASON;
    bye.reconnect = true;
    bye.delay_ms = 1;
    for (unsigned w = 0; w < d->s->hub->n_wires; w++) {
        struct frame *f = encode_event(d->s, w, &bye);
        d->tells[w] = f != NULL;
        frame_unref(f);
    }
}

/* About the golden part of `all`, and prime to it. */
static size_t stride_of(size_t all)
{
    size_t stride = (size_t)((double)all * 0.618) + 1;
    for (;; stride++) {
        size_t a = stride, b = all;
        while (b) {
            size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            return stride;
    }
}

/* Sessions that opened together get places far apart: clients of one kind, which come back a little
 * after their time, would else pile up behind each other. Each place is given once. */
static int64_t slot(struct draining *d)
{
    return (int64_t)(d->i++ * d->stride % d->all);
}

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms);
}

static void look_at(struct session *ss, void *arg)
{
    struct draining *d = arg;
    int64_t i = slot(d), delay = d->spread_ms * i / (int64_t)d->all;
    if (ss->state == SESSION_CLOSING && !ss->out.stream) { /* was closed, and waits to be fetched from */
        session_end(ss, HB_END_DRAIN, true);
    } else if (d->tells[ss->out.wire]) {
        session_close_later(ss, 1001, REASON, HB_END_DRAIN, delay);
    } else {
        int64_t soon = i * APART_MS;
        d->queue[d->n++] = (struct place){ss->sid, d->began_ms + (uint64_t)(delay < soon ? delay : soon)};
    }
}

static void on_time(struct timer *t)
{
    struct draining *d = container_of(t, struct draining, timer);
    uint64_t now = clock_mono_ms();
    while (d->next < d->n && d->queue[d->next].due_ms <= now) {
        struct session *ss = session_find(d->s, d->queue[d->next++].sid);
        if (ss)
            session_close_later(ss, 1001, REASON, HB_END_DRAIN, 0);
    }
    if (d->next < d->n)
        timer_set(&d->s->wheel, t, now + STEP_MS);
}

void drain_sessions(struct shard *s, int64_t spread_ms)
{
    size_t all = registry_count(s->registry);
    struct draining *d = mem_zalloc(sizeof(*d));
    *d = (struct draining){.s = s, .all = all, .stride = stride_of(all),
        .began_ms = clock_mono_ms(), .spread_ms = spread_ms,
        .queue = mem_alloc((all + 1) * sizeof(*d->queue))};
    s->registry->draining = d;
    timer_init(&d->timer, on_time);
    ask_wires(d);
    registry_each(s, look_at, d);
    qsort(d->queue, d->n, sizeof(*d->queue), by_time);
    on_time(&d->timer);
}
