/* base64url without padding (RFC 7515, section 2), strictly: one spelling for each byte string.
 * Pure. */
#ifndef AUTH_JWT_B64_H
#define AUTH_JWT_B64_H

#include <hubbub/types.h>

/* Room that decoding `n` characters takes. */
#define B64_DECODED_MAX(n) ((n) / 4 * 3 + 2)

/* Decode into `out` (B64_DECODED_MAX(text.n) bytes). The number of bytes, or -1 for anything that
 * is not base64url: padding, white space, other characters, left-over bits that are not zero. */
ptrdiff_t b64_decode(hb_str text, unsigned char *out);

#endif
