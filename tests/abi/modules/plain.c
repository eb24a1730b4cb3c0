/* A module that says of itself what the build says: NAME, ABI, SIZE. Nothing else. */
#include <hubbub/plugin.h>

#ifndef ABI
#define ABI HB_ABI
#endif
#ifndef SIZE
#define SIZE sizeof(hb_module)
#endif

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {.abi = ABI, .size = SIZE, .name = NAME, .version = "1.0"};
