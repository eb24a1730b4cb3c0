#include "alarm.h"
#include <stdlib.h>

enum { RINGS_MAX = 1000 }; /* at one time; the rest in the next turn of the loop */

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static void put(struct alarms *all, uint32_t i, struct alarm *a)
{
    all->heap[i] = a;
    a->index = i + 1;
}

static void sift_up(struct alarms *all, uint32_t i, struct alarm *a)
{
    while (i > 0 && is_before(a->due_ms, all->heap[(i - 1) / 2]->due_ms)) {
        put(all, i, all->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(all, i, a);
}

static void sift_down(struct alarms *all, uint32_t i, struct alarm *a)
{
    for (uint32_t child; (child = 2 * i + 1) < all->n; i = child) {
        if (child + 1 < all->n && is_before(all->heap[child + 1]->due_ms, all->heap[child]->due_ms))
            child++;
        if (!is_before(all->heap[child]->due_ms, a->due_ms))
            break;
        put(all, i, all->heap[child]);
    }
    put(all, i, a);
}

static void place(struct alarms *all, uint32_t i, struct alarm *a)
{
    if (i > 0 && is_before(a->due_ms, all->heap[(i - 1) / 2]->due_ms))
        sift_up(all, i, a);
    else
        sift_down(all, i, a);
}

static void take_out(struct alarms *all, struct alarm *a)
{
    uint32_t i = a->index - 1;
    struct alarm *last = all->heap[--all->n];
    a->index = 0;
    if (last != a)
        place(all, i, last);
    if (all->cap > 64 && all->n < all->cap / 4) {
        struct alarm **smaller = realloc(all->heap, all->cap / 2 * sizeof(*smaller));
        all->heap = smaller ? smaller : all->heap;
        all->cap = smaller ? all->cap / 2 : all->cap;
    }
}

/* The host's timer is left early rather than moved: most deadlines are moved away before they come.
 */
static void arm(struct alarms *all)
{
    if (!all->n)
        return;
    uint64_t now = all->ctx->host->now_ms();
    uint32_t first = all->heap[0]->due_ms,
             after = is_before((uint32_t)now, first) ? first - (uint32_t)now : 0;
    if (all->timer_at && all->timer_at <= now + after)
        return;
    all->timer_at = now + after;
    all->ctx->host->timer_set(all->ctx, &all->timer, after);
}

static void on_time(const hb_ctx *ctx, hb_timer *t)
{
    struct alarms *all = t->owner;
    uint64_t now = ctx->host->now_ms();
    all->timer_at = 0;
    for (int i = 0; i < RINGS_MAX && all->n > 0 && !is_before((uint32_t)now, all->heap[0]->due_ms);
         i++) {
        struct alarm *a = all->heap[0];
        take_out(all, a);
        all->ring(a);
    }
    arm(all);
}

void alarms_init(struct alarms *all, const hb_ctx *ctx, void (*ring)(struct alarm *a))
{
    *all = (struct alarms){.ctx = ctx, .ring = ring, .timer = {.fire = on_time, .owner = all}};
}

void alarms_finish(struct alarms *all)
{
    all->ctx->host->timer_cancel(all->ctx, &all->timer);
    free(all->heap);
}

static bool grow(struct alarms *all)
{
    uint32_t cap = all->cap ? all->cap * 2 : 64;
    struct alarm **grown = realloc(all->heap, cap * sizeof(*grown));
    if (!grown)
        return false;
    all->heap = grown;
    all->cap = cap;
    return true;
}

bool alarm_set(struct alarms *all, struct alarm *a, uint64_t due_ms)
{
    a->due_ms = (uint32_t)due_ms;
    if (a->index) {
        place(all, a->index - 1, a);
    } else {
        if (all->n == all->cap && !grow(all))
            return false;
        sift_up(all, all->n++, a);
    }
    arm(all);
    return true;
}

bool alarm_is_set_to(const struct alarm *a, uint64_t due_ms)
{
    return a->index && a->due_ms == (uint32_t)due_ms;
}

void alarm_unset(struct alarms *all, struct alarm *a)
{
    if (a->index)
        take_out(all, a);
}
