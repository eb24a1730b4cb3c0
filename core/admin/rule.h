/*
 * One alert rule at work: what it reads, what it remembers of the past, and where it stands. Control
 * thread.
 */
#ifndef ADMIN_RULE_H
#define ADMIN_RULE_H

#include "base/reading.h"
#include "admin/window.h"
#include "conf/config.h"

enum rule_state { RULE_QUIET, RULE_PENDING, RULE_FIRING };
enum rule_change { RULE_SAME, RULE_BEGAN, RULE_FIRED, RULE_RESOLVED, RULE_ENDED /* while pending */ };

struct rule {
    const struct config_alert *config; /* of the configuration in force, or of the built-in rules */
    struct reading metric, of;         /* `of` only with config->of */
    struct window rate;                /* metric and of, for their growth */
    struct window past;                /* values for spike and collapse; buckets for a quantile */
    enum rule_state state;
    double value;                      /* that was compared last */
    uint64_t since_ms;                 /* monotonic: the condition holds since */
    int64_t active_at, resolved_at;    /* wall clock, ms */
    bool told_missing;
};

void rule_init(struct rule *r, const struct config_alert *config);
void rule_finish(struct rule *r);
/* The same condition? Then what `before` remembers is right for `config`, too. */
bool rule_same(const struct rule *before, const struct config_alert *config);
/* Take over what another one knows; `from` is finished. */
void rule_take_over(struct rule *r, struct rule *from);
/* Once a second, after reading_take. */
enum rule_change rule_tick(struct rule *r, uint64_t now_ms, int64_t wall_ms);

#endif
