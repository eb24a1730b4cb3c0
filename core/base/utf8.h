/* UTF-8 (RFC 3629) checks, whole or piecewise. Pure; any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <hubbub/types.h>

bool utf8_valid(hb_str s);

/* Piecewise: start with state = UTF8_ACCEPT, feed pieces; a result of UTF8_REJECT is final; at the
 * end of the text the state must be UTF8_ACCEPT. Fails fast: at the first byte that cannot continue. */
#define UTF8_ACCEPT 0u
#define UTF8_REJECT 12u
uint32_t utf8_feed(uint32_t state, hb_str piece);

/* The length of the character at the head of `s` (s.n > 0), 1 to 4; when there is none, minus the
 * number of bytes that one U+FFFD stands for (Unicode's "maximal subpart": at least 1). */
int utf8_next(hb_str s);

/* UTF-8 without control characters (U+0000-001F, U+007F-009F), of min..max bytes: what names of
 * rooms, users and events must be. */
bool utf8_name(hb_str s, size_t min, size_t max);

#endif
