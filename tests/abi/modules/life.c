/*
 * Tells each step of its life through the log (cause "life": "NAME: step"), and fails where its
 * options say. Its check refuses the number 7, and the numbers below 2 at their place in the file.
 */
#include <hubbub/plugin.h>
#include <stdio.h>

enum { FAIL_NEVER, FAIL_INIT, FAIL_WORKER };

struct options {
    int64_t number;
    int fail;
    const hb_node *place;
};

static const hb_option options[] = {
    {.key = "number", .type = HB_OPT_INT, .offset = offsetof(struct options, number), .def = "3",
        .max = 10, .doc = "Any but 7."},
    {.key = "fail", .type = HB_OPT_CHOICE, .offset = offsetof(struct options, fail), .def = "never",
        .choices = "never|init|worker", .doc = "Where to fail."},
    {.key = ".", .type = HB_OPT_NODE, .offset = offsetof(struct options, place)},
    {0},
};

static int self, locals[64];

static void say(const hb_ctx *ctx, const char *step)
{
    const struct options *o = ctx->options;
    char line[128];
    snprintf(line, sizeof line, NAME ": %s %d %s", step, (int)o->number,
        ctx->self == (step[0] == 'i' ? NULL : &self) ? "" : "with a wrong self");
    ctx->host->log(ctx, HB_LOG_INFO, "life", line);
}

static int check(const hb_host *host, const void *given, char *error, size_t error_size)
{
    const struct options *o = given;
    if (o->number < 2)
        host->node_error(host, host->node_get(o->place, "number"), "that is too few");
    if (o->number != 7)
        return 0;
    snprintf(error, error_size, "seven is taken");
    return -1;
}

static int init(const hb_ctx *ctx, void **out, char *error, size_t error_size)
{
    const struct options *o = ctx->options;
    say(ctx, "init");
    *out = &self;
    return o->fail == FAIL_INIT ? -1 : 0;
}

static void finish(const hb_ctx *ctx)
{
    say(ctx, "finish");
}

static int worker_init(const hb_ctx *ctx, void **local)
{
    const struct options *o = ctx->options;
    say(ctx, "worker init");
    *local = &locals[ctx->worker];
    return o->fail == FAIL_WORKER ? -1 : 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    say(ctx, ctx->local == &locals[ctx->worker] ? "worker finish" : "worker finish, wrong local");
}

static void worker_reload(const hb_ctx *ctx)
{
    say(ctx, "worker reload");
}

static void reload(const hb_ctx *ctx)
{
    say(ctx, "reload");
}

static int tell_number(const hb_ctx *ctx, int argc, char **argv)
{
    const struct options *o = ctx->options;
    printf("%s %d %d %s\n", argv[0], (int)o->number, argc, argc > 1 ? argv[1] : "");
    return 5;
}

static const hb_command commands[] = {
    {.name = "number-of-" NAME, .usage = "hubbub number-of-" NAME " [WORD]", .run = tell_number},
    {0},
};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE(NAME, "1.0"), .options = options,
    .options_size = sizeof(struct options), .commands = commands, .check = check, .init = init,
    .finish = finish, .worker_init = worker_init, .worker_finish = worker_finish,
    .worker_reload = worker_reload, .reload = reload};
