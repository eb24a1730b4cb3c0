/* A shared object that is no module. */
#include <hubbub/plugin.h>

HB_EXPORT extern const int something_else;
const int something_else = 1;
