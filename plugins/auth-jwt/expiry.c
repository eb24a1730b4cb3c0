#include "expiry.h"
#include <stdlib.h>

enum { SWEEP_MIN = 1024 };

void expiry_finish(struct expiry *e)
{
    free(e->items);
    *e = (struct expiry){0};
}

static void swap(struct expiry_entry *a, struct expiry_entry *b)
{
    struct expiry_entry t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct expiry *e, size_t i)
{
    for (; i && e->items[i].warn_ms < e->items[(i - 1) / 2].warn_ms; i = (i - 1) / 2)
        swap(&e->items[i], &e->items[(i - 1) / 2]);
}

static void sift_down(struct expiry *e, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < e->n; child++)
            if (e->items[child].warn_ms < e->items[least].warn_ms)
                least = child;
        if (least == i)
            return;
        swap(&e->items[i], &e->items[least]);
        i = least;
    }
}

static void order(struct expiry *e)
{
    for (size_t i = e->n / 2; i-- > 0;)
        sift_down(e, i);
}

/* Twice what lives may pile up before the next sweep: each push pays for a constant share of it. */
static void sweep(struct expiry *e, expiry_end *end, void *arg)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n; i++)
        if (end(arg, &e->items[i]))
            e->items[kept++] = e->items[i];
    e->n = kept;
    order(e);
    e->sweep_at = 2 * kept < SWEEP_MIN ? SWEEP_MIN : 2 * kept;
}

bool expiry_push(struct expiry *e, struct expiry_entry entry, expiry_end *end, void *arg)
{
    if (e->n >= (e->sweep_at ? e->sweep_at : SWEEP_MIN))
        sweep(e, end, arg);
    if (e->n == e->room) {
        size_t room = e->room ? 2 * e->room : 64;
        struct expiry_entry *grown = realloc(e->items, room * sizeof(*grown));
        if (!grown)
            return false;
        e->items = grown;
        e->room = room;
    }
    e->items[e->n] = entry;
    sift_up(e, e->n++);
    return true;
}

const struct expiry_entry *expiry_first(const struct expiry *e)
{
    return e->n ? e->items : NULL;
}

void expiry_pop(struct expiry *e)
{
    e->items[0] = e->items[--e->n];
    sift_down(e, 0);
}

int64_t expiry_warn_at(int64_t now_ms, int64_t expires_ms, int64_t warning_ms)
{
    if (!warning_ms)
        return INT64_MAX;
    int64_t half = (expires_ms - now_ms) / 2;
    return expires_ms - (warning_ms < half ? warning_ms : half);
}

void expiry_rewarn(
    struct expiry *e, int64_t now_ms, int64_t warning_ms, expiry_end *end, void *arg)
{
    for (size_t i = 0; i < e->n; i++)
        e->items[i].warn_ms = expiry_warn_at(now_ms, end(arg, &e->items[i]), warning_ms);
    order(e);
}
