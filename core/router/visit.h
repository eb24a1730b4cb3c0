/*
 * A call into a module: the watchdog can say who is in it, and who stays longer than
 * limits.hook_budget is named in the log. Visits nest. The shard's thread.
 */
#ifndef ROUTER_VISIT_H
#define ROUTER_VISIT_H

#include "out/shard.h"

struct visit {
    struct shard *s;
    int module, outer; /* outer: who had called us; -1: nobody */
    uint64_t began_us;
};

struct visit visit_begin(struct shard *s, int module);
/* It came back; a `hook` of it is booked in hubbub_hook_seconds, anything else is HOOK_COUNT. */
void visit_end(const struct visit *v, enum hook hook);

#endif
