#include "jansson_check.h"
#include <jansson.h>
#include <string.h>

enum jansson_says jansson_check(const char *text, size_t n)
{
    json_error_t error;
    if (n > 0 && memchr(text, '\0', n))
        return JANSSON_CANNOT; /* it takes a NUL behind the value for the end of the text */
    json_t *parsed = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (parsed) {
        json_decref(parsed);
        return JANSSON_ACCEPTS;
    }
    switch (json_error_code(&error)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_stack_overflow:
        return JANSSON_CANNOT;
    default:
        return JANSSON_REFUSES;
    }
}
