/*
 * Deadlines of many connections on one timer of the host: a heap by time. An alarm is embedded in
 * what it wakes and costs nothing besides; one worker's thread.
 */
#ifndef SOCKETIO_ALARM_H
#define SOCKETIO_ALARM_H

#include <hubbub/plugin.h>

struct alarm {
    uint32_t due_ms; /* the low half of the host's clock: deadlines lie within a day of each other */
    uint32_t index;  /* in the heap, + 1; 0: not set */
};

struct alarms {
    const hb_ctx *ctx;
    void (*ring)(struct alarm *a); /* it is not set any more, and may be set again or be gone after */
    struct alarm **heap;
    uint32_t n, cap;
    uint64_t timer_at; /* what `timer` is set to; 0: not set */
    hb_timer timer;
};

void alarms_init(struct alarms *all, const hb_ctx *ctx, void (*ring)(struct alarm *a));
void alarms_finish(struct alarms *all);
/* Set, or move, to ms of the host's clock. False: memory is out, and it is not set. */
bool alarm_set(struct alarms *all, struct alarm *a, uint64_t due_ms);
bool alarm_is_set_to(const struct alarm *a, uint64_t due_ms);
void alarm_unset(struct alarms *all, struct alarm *a); /* harmless when it is not set */

#endif
