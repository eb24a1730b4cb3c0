/* A module that needs a symbol which nobody has. */
#include <hubbub/plugin.h>

void nobody_has_this(void);

static void finish(const hb_ctx *ctx)
{
    nobody_has_this();
}

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("unresolved", "1.0"), .finish = finish};
