#include "router/visit.h"
#include "base/clock.h"
#include "base/log.h"

struct visit visit_begin(struct shard *s, int module)
{
    struct visit v = {s, module, shard_enter_module(s, module), clock_mono_us()};
    return v;
}

void visit_end(const struct visit *v, enum hook hook)
{
    const struct module_ref *ref = &v->s->hub->modules[v->module];
    uint64_t took_us = clock_mono_us() - v->began_us;
    shard_enter_module(v->s, v->outer);
    if (hook != HOOK_COUNT)
        metrics_observe(v->s->metrics, ref->hook_seconds[hook], took_us * 1000, 1);
    if (took_us > (uint64_t)v->s->config->limits.hook_budget_ms * 1000)
        log_write(LOG_WARN, "slow-plugin", "plugin=%s blocked its worker for %llu ms", ref->desc->name,
            (unsigned long long)(took_us / 1000));
}
