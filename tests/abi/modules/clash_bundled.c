/* A library that somebody bundled: a global symbol, of a name that another module and the host have
 * as well. */
#include "clash.h"

const char *buf_append(void)
{
    return "\"" NAME "\"";
}
