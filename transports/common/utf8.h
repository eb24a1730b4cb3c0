/* UTF-8 (RFC 3629), checked piece by piece; fails at the first byte that cannot continue. Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <hubbub/types.h>

#define UTF8_START 0u
#define UTF8_BAD 8u

/* The state after these bytes: UTF8_START between characters, UTF8_BAD for good, else within one. */
uint8_t utf8_check(uint8_t state, const char *bytes, size_t n);

#endif
