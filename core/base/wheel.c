#include "base/wheel.h"

/*
 * A timer lies at the lowest level at which its due time and now share all higher digits (base 64),
 * in the slot of its digit there. So every slot in use lies ahead of now in its level, all of one
 * level is due before anything of the next, and the first slot in use of the lowest level in use is
 * always the next to come. The top level is a ring instead: it reaches 63 of its slots ahead, and
 * what is due later waits in the farthest until that comes up and is sorted again.
 *
 * The slot of now itself (level 0) holds what was set for a time already past.
 */
enum { BITS = 6, TOP = WHEEL_LEVELS - 1, MASK = WHEEL_SLOTS - 1 };

_Static_assert(WHEEL_SLOTS == 1 << BITS, "a slot is one digit of the time");

struct slot {
    unsigned level, index;
    uint64_t starts_ms; /* at level 0: when all in it is due */
};

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    w->now_ms = now_ms;
    w->count = 0;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        w->occupied[level] = 0;
        for (int i = 0; i < WHEEL_SLOTS; i++)
            list_init(&w->slots[level][i]);
    }
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
    list_init(&t->link);
    t->due_ms = 0;
    t->fire = fire;
}

bool timer_is_set(const struct timer *t)
{
    return !list_empty(&t->link);
}

static void place(struct wheel *w, struct timer *t)
{
    uint64_t due = t->due_ms > w->now_ms ? t->due_ms : w->now_ms;
    uint64_t differ = (due ^ w->now_ms) | 1;
    unsigned level = (63 - (unsigned)__builtin_clzll(differ)) / BITS;
    if (level > TOP)
        level = TOP;
    uint64_t current = w->now_ms >> (BITS * level);
    uint64_t ahead = (due >> (BITS * level)) - current;
    if (ahead > MASK)
        ahead = MASK;
    unsigned index = (current + ahead) & MASK;
    list_push_back(&w->slots[level][index], &t->link);
    w->occupied[level] |= (uint64_t)1 << index;
}

/* Take the timer out of its list; when that empties a slot (rather than the list of what is firing
 * just now), note it. */
static void unlink_timer(struct wheel *w, struct timer *t)
{
    struct list *next = t->link.next;
    list_remove(&t->link);
    if (!list_empty(next))
        return;
    uintptr_t offset = (uintptr_t)next - (uintptr_t)w->slots;
    if (offset >= sizeof w->slots)
        return;
    size_t index = offset / sizeof w->slots[0][0];
    w->occupied[index / WHEEL_SLOTS] &= ~((uint64_t)1 << (index & MASK));
}

void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms)
{
    timer_cancel(w, t);
    t->due_ms = due_ms;
    place(w, t);
    w->count++;
}

void timer_cancel(struct wheel *w, struct timer *t)
{
    if (!timer_is_set(t))
        return;
    unlink_timer(w, t);
    w->count--;
}

/* The next slot that holds something; false when all are empty. */
static bool next_slot(const struct wheel *w, struct slot *s)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t bits = w->occupied[level];
        if (!bits)
            continue;
        uint64_t current = w->now_ms >> (BITS * level);
        unsigned at = current & MASK;
        bits = bits >> at | bits << ((WHEEL_SLOTS - at) & MASK);
        uint64_t coming = current + (unsigned)__builtin_ctzll(bits);
        *s = (struct slot){level, coming & MASK, coming << (BITS * level)};
        return true;
    }
    return false;
}

/* Append all of `from` to `to`. */
static void splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* Move now to `target_ms` and what is due by then into `due`, in order. */
static void collect(struct wheel *w, uint64_t target_ms, struct list *due)
{
    struct slot s;
    while (next_slot(w, &s) && s.starts_ms <= target_ms) {
        struct list *slot = &w->slots[s.level][s.index];
        w->occupied[s.level] &= ~((uint64_t)1 << s.index);
        w->now_ms = s.starts_ms;
        if (s.level == 0) {
            splice(due, slot);
            continue;
        }
        struct list again;
        list_init(&again);
        splice(&again, slot);
        list_for_each_safe(item, &again) {
            list_remove(item);
            place(w, list_entry(item, struct timer, link));
        }
    }
    w->now_ms = target_ms;
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
    struct list due;
    list_init(&due);
    collect(w, now_ms > w->now_ms ? now_ms : w->now_ms, &due);
    while (!list_empty(&due)) {
        struct timer *t = list_entry(due.next, struct timer, link);
        list_remove(&t->link);
        w->count--;
        t->fire(t);
    }
}

uint64_t wheel_wait_ms(const struct wheel *w, uint64_t now_ms, uint64_t max_ms)
{
    struct slot s;
    if (!next_slot(w, &s))
        return max_ms;
    if (s.starts_ms <= now_ms)
        return 0;
    return s.starts_ms - now_ms < max_ms ? s.starts_ms - now_ms : max_ms;
}
