/*
 * Timers: a hierarchical timing wheel over the monotonic clock, 1 ms ticks at the lowest level.
 * Set, cancel and fire are O(1); a timer is embedded in what it times and owned there. One thread:
 * the wheel's. A timer that is set again moves; cancelling one that is not set is harmless.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"
#include <stdint.h>

struct timer {
    struct list link;              /* in a slot while set; initialised otherwise */
    uint64_t due_ms;               /* on clock_mono_ms's scale */
    void (*fire)(struct timer *t); /* called once, the timer unset, so it may set itself again or be freed */
};

#define WHEEL_LEVELS 5
#define WHEEL_SLOTS 64

struct wheel {
    uint64_t now_ms; /* all timers due at or before this have fired */
    uint64_t occupied[WHEEL_LEVELS];  /* a bit per slot that is not empty */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS]; /* beyond the top level's span: parked in its last slot and re-sorted */
    size_t count;
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void timer_init(struct timer *t, void (*fire)(struct timer *));
bool timer_is_set(const struct timer *t);
/* Fire at due_ms, or at the next wheel_advance when that is past. */
void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms);
void timer_cancel(struct wheel *w, struct timer *t);
/* Fire all that is due at now_ms, in order of due tick (a time that was past when it was set counts
 * as the tick of that moment). Callbacks may set and cancel any timer. A
 * timer set by a callback for a time <= now_ms fires at the next advance (so this always ends). */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* Milliseconds until the next advance is useful: a lower bound of the next timer's wait, capped at
 * `max_ms`. 0 when something is due. */
uint64_t wheel_wait_ms(const struct wheel *w, uint64_t now_ms, uint64_t max_ms);

#endif
