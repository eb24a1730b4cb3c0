/* A module whose option table would have the host write outside of its struct. */
#include <hubbub/plugin.h>

static const hb_option options[] = {
    {.key = "far", .type = HB_OPT_INT, .offset = 4096, .doc = "Not in the struct."},
    {0},
};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("bad-table", "1.0"), .options = options,
    .options_size = sizeof(int64_t)};
