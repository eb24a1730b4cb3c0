/* Answers every call with what its own buf_append says. */
#include "clash.h"
#include <hubbub/plugin.h>
#include <string.h>

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    const char *says = buf_append();
    if (ev->event.n != strlen(NAME) || memcmp(ev->event.p, NAME, ev->event.n) != 0)
        return HB_NEXT;
    ev->out.data = (hb_str){says, strlen(says)};
    return HB_ALLOW;
}

static const hb_hooks hooks = {.size = sizeof hooks, .call = call};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE(NAME, "1.0"), .hooks = &hooks};
