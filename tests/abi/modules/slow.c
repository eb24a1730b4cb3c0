/* A module that does what none may: its call hook blocks the worker for a while. */
#include <hubbub/plugin.h>
#include <time.h>

struct options {
    int64_t block_ms;
};

static const hb_option options[] = {
    {.key = "block", .type = HB_OPT_DURATION, .offset = offsetof(struct options, block_ms),
        .def = "300ms", .doc = "How long each call blocks."},
    {0},
};

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    const struct options *o = ctx->options;
    struct timespec t = {o->block_ms / 1000, o->block_ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0)
        continue;
    ev->out.data = HB_STR("\"slow\"");
    return HB_ALLOW;
}

static const hb_hooks hooks = {.size = sizeof hooks, .call = call};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("slow", "1.0"), .options = options,
    .options_size = sizeof(struct options), .hooks = &hooks};
