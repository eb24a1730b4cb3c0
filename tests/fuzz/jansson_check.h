/* A second opinion on JSON text; apart because jansson's names and base/json.h's clash. */
#ifndef TESTS_JANSSON_CHECK_H
#define TESTS_JANSSON_CHECK_H

#include <stddef.h>

enum jansson_says {
    JANSSON_ACCEPTS,
    JANSSON_REFUSES,
    JANSSON_CANNOT, /* perhaps JSON, but past the limits of jansson's own types */
};

enum jansson_says jansson_check(const char *text, size_t n);

#endif
