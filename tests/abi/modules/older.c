/* A module built when hb_module and hb_hooks were shorter. Answers the call "older". */
#include <hubbub/plugin.h>

struct options {
    const char *greeting;
};

static const hb_option options[] = {
    {.key = "greeting", .type = HB_OPT_STRING, .offset = offsetof(struct options, greeting),
        .def = "\"from long ago\"", .doc = "What the call answers, as JSON."},
    {0},
};

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    static const char name[] = "older";
    const struct options *o = ctx->options;
    if (ev->event.n != sizeof name - 1 || __builtin_memcmp(ev->event.p, name, ev->event.n) != 0)
        return HB_NEXT;
    ev->out.data = (hb_str){o->greeting, __builtin_strlen(o->greeting)};
    return HB_ALLOW;
}

/* As the headers were: the same members, up to here and no further. */
static const struct {
    uint32_t size;
    bool auth;
    hb_verdict (*connect)(const hb_ctx *ctx, hb_connect *ev);
    hb_verdict (*join)(const hb_ctx *ctx, hb_join *ev);
    hb_verdict (*publish)(const hb_ctx *ctx, hb_publish *ev);
    hb_verdict (*call)(const hb_ctx *ctx, hb_call *ev);
} hooks = {.size = sizeof hooks, .call = call};

struct old_module {
    uint32_t abi, size;
    const char *name, *version, *description;
    const hb_option *options;
    size_t options_size;
    bool session_slot;
    const void *hooks;
    const hb_transport *transport;
    const hb_backend *backend;
    const hb_command *commands;
    int (*init)(const hb_ctx *ctx, void **self, char *error, size_t error_size);
};

HB_EXPORT extern const struct old_module hubbub_module;
const struct old_module hubbub_module = {
    .abi = HB_ABI_MAJOR << 16,
    .size = sizeof(struct old_module),
    .name = "older",
    .version = "0.9",
    .options = options,
    .options_size = sizeof(struct options),
    .hooks = &hooks,
};
