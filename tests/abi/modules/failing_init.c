/* A module whose init always fails, with a sentence. */
#include <hubbub/plugin.h>
#include <stdio.h>

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    snprintf(error, error_size, "the moon is in the wrong phase");
    return -1;
}

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("failing-init", "1.0"), .init = init};
