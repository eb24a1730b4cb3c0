/*
 * The words that every public header shares: borrowed byte strings and stream positions.
 *
 * Ownership, here and in all of hubbub's headers: a pointer is *borrowed* for the duration of the
 * call unless the declaration says `take`, `adopt`, `ref` or "lives until".
 */
#ifndef HUBBUB_TYPES_H
#define HUBBUB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed bytes, not NUL-terminated. {NULL, 0} means "absent"; {"", 0} is an empty string. */
typedef struct hb_str {
    const char *p;
    size_t n;
} hb_str;

#ifdef __cplusplus
#define HB_STR(literal) (hb_str{(literal), sizeof(literal) - 1})
#else
#define HB_STR(literal) ((hb_str){(literal), sizeof(literal) - 1})
#endif

#ifdef __cplusplus
}
#endif
#endif
