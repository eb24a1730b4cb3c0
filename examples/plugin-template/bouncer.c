/* bouncer: nobody joins the rooms that it is told to guard. */
#include <hubbub/plugin.h>
#include <string.h>

struct options {
    hb_strings rooms;
    const char *message;
};

static const hb_option options_table[] = {
    {.key = "rooms", .type = HB_OPT_STRINGS, .offset = offsetof(struct options, rooms),
        .required = true, .doc = "rooms that nobody may join"},
    {.key = "message", .type = HB_OPT_STRING, .offset = offsetof(struct options, message),
        .def = "This room is closed.", .doc = "what they are told who try"},
    {.key = NULL},
};

static bool is_guarded(const struct options *o, hb_str room)
{
    for (size_t i = 0; i < o->rooms.n; i++)
        if (room.n == o->rooms.items[i].n && memcmp(room.p, o->rooms.items[i].p, room.n) == 0)
            return true;
    return false;
}

static hb_verdict join(const hb_ctx *ctx, hb_join *ev)
{
    const struct options *o = ctx->options;
    if (!is_guarded(o, ev->room))
        return HB_NEXT;
    ev->out.code = HB_FORBIDDEN;
    ev->out.message = (hb_str){o->message, strlen(o->message)};
    return HB_DENY;
}

/* Having it says that new options may come while we run; ctx->options is all that we read. */
static void worker_reload(const hb_ctx *ctx)
{
}

static const hb_hooks hooks = {.size = sizeof(hooks), .join = join};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("bouncer", "1.0"),
    .description = "Keeps everybody out of some rooms",
    .options = options_table,
    .options_size = sizeof(struct options),
    .hooks = &hooks,
    .worker_reload = worker_reload,
};
