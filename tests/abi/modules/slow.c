/* A module that does what none may: it blocks the worker for a while, in one of its callbacks. */
#include <hubbub/plugin.h>
#include <time.h>

enum where { IN_CALL, IN_OPENED, IN_LEFT, IN_TIMER };

struct options {
    int64_t block_ms;
    int where;
};

static const hb_option options[] = {
    {.key = "block", .type = HB_OPT_DURATION, .offset = offsetof(struct options, block_ms),
        .def = "300ms", .doc = "How long each time."},
    {.key = "where", .type = HB_OPT_CHOICE, .offset = offsetof(struct options, where), .def = "call",
        .choices = "call|opened|left|timer", .doc = "The callback; the timer is set by `call`."},
    {0},
};

static _Thread_local hb_timer timer; /* the worker's */

static void block(const hb_ctx *ctx, int where)
{
    const struct options *o = ctx->options;
    struct timespec t = {o->block_ms / 1000, o->block_ms % 1000 * 1000000};
    while (o->where == where && nanosleep(&t, &t) != 0)
        continue;
}

static void fire(const hb_ctx *ctx, hb_timer *t)
{
    block(ctx, IN_TIMER);
}

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    block(ctx, IN_CALL);
    timer.fire = fire;
    ctx->host->timer_set(ctx, &timer, 1);
    ev->out.data = HB_STR("\"slow\"");
    return HB_ALLOW;
}

static void opened(const hb_ctx *ctx, hb_session *session)
{
    block(ctx, IN_OPENED);
}

static void left(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once)
{
    block(ctx, IN_LEFT);
}

static void worker_finish(const hb_ctx *ctx)
{
    ctx->host->timer_cancel(ctx, &timer);
}

static const hb_hooks hooks = {.size = sizeof hooks, .call = call, .opened = opened, .left = left};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("slow", "1.0"), .options = options,
    .options_size = sizeof(struct options), .hooks = &hooks, .worker_finish = worker_finish};
