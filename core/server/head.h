/*
 * A second look at a request's head, stricter than the HTTP library's: what two parsers could read
 * in two ways (request smuggling behind a proxy) is refused. Pure; any thread.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <hubbub/types.h>

enum head_verdict {
    HEAD_INCOMPLETE, /* no blank line yet */
    HEAD_OK,
    HEAD_CHUNKED,    /* fine, and the body comes in chunks */
    HEAD_NO_HOST,    /* HTTP/1.1 without it (RFC 9112, 3.2) */
    HEAD_BAD,
};

/* `bytes` begins with a request line; what follows the head is not looked at. Bad are (RFC 9112):
 * a line that ends without CR (2.2), a folded line (5.2), more than one Content-Length or
 * Transfer-Encoding or both (6.3), more than one Host (3.2) or Origin (RFC 6454, 7.3). */
enum head_verdict head_check(hb_str bytes);
/* The same question alone, for bytes of which little is known: is there a blank line? */
bool head_complete(hb_str bytes);

/* The first field of that name in a complete head, trimmed; absent when there is none. */
hb_str head_field(hb_str bytes, hb_str name);
/* What the request line begins with. */
hb_str head_method(hb_str bytes);

#endif
