/*
 * The opening handshake (RFC 6455, section 4.2) as pure functions over header values; and what is
 * agreed in it: the subprotocol, a credential brought as one, compression (RFC 7692).
 */
#ifndef COMMON_HANDSHAKE_H
#define COMMON_HANDSHAKE_H

#include <hubbub/types.h>

#define HANDSHAKE_SUBPROTOCOL "hubbub.v1"
#define HANDSHAKE_BEARER "hubbub.bearer."

/* Header values, absent where not sent; several of one name joined by commas. */
struct handshake_request {
    hb_str method;
    int http_minor;
    hb_str upgrade, connection, version, key, protocol, extensions;
};

enum handshake_result {
    HANDSHAKE_OK,
    HANDSHAKE_WRONG_METHOD, /* 405 */
    HANDSHAKE_NO_UPGRADE,   /* 426: no WebSocket asked for, or another version */
    HANDSHAKE_BAD           /* 400: a WebSocket asked for in the wrong way */
};

/* `why` becomes a sentence for a person (static), untouched when OK. */
enum handshake_result handshake_check(const struct handshake_request *r, const char **why);

/* Does it ask for a WebSocket at all, however wrongly? */
bool handshake_wanted(const struct handshake_request *r);

/* Was the subprotocol hubbub.v1 offered? */
bool handshake_subprotocol(hb_str protocol);

/* The first subprotocol offered that is no credential; absent: none. Of the bytes of `protocol`. */
hb_str handshake_offer(hb_str protocol);

/* The token of the first hubbub.bearer.<token> offered; absent: none. */
hb_str handshake_token(hb_str protocol);

/* The answer to the first offer of permessage-deflate that can be met without context takeover and
 * with the full window (static); absent: none can. */
hb_str handshake_deflate(hb_str extensions);

/* Sec-WebSocket-Accept for a key that passed handshake_check. NUL-terminated. */
#define HANDSHAKE_ACCEPT_SIZE 29
void handshake_accept(hb_str key, char out[HANDSHAKE_ACCEPT_SIZE]);

#endif
