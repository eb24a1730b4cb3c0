/* libh2o's headers, in the one flavour that is linked. Nothing outside server/ includes them. */
#ifndef SERVER_LIBH2O_H
#define SERVER_LIBH2O_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#pragma GCC diagnostic ignored "-Wwrite-strings"
#include <h2o.h>
#include <h2o/http1.h>
#pragma GCC diagnostic pop

#if H2O_USE_LIBUV
#error "h2o.h must be read with H2O_USE_LIBUV=0: the structs of the other flavour differ"
#endif

#endif
