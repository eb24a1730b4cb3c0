/*
 * The WebSocket handshake over any header values, one to a line: what is agreed to is found in what
 * was offered, and an accepted key gives an answer of 28 characters.
 */
#include "base/str.h"
#include "fuzz.h"
#include "common/handshake.h"
#include <string.h>

static hb_str line(hb_str *rest)
{
    hb_str field = {NULL, 0};
    str_split(rest, '\n', &field);
    return field;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str rest = {(const char *)data, size};
    struct handshake_request r = {.method = HB_STR("GET"), .http_minor = 1};
    const char *why = NULL;
    r.upgrade = line(&rest);
    r.connection = line(&rest);
    r.version = line(&rest);
    r.key = line(&rest);
    r.protocol = line(&rest);
    r.extensions = line(&rest);
    enum handshake_result result = handshake_check(&r, &why);
    HOLDS((result == HANDSHAKE_OK) == (why == NULL));
    if (result == HANDSHAKE_OK) {
        char accept[HANDSHAKE_ACCEPT_SIZE];
        handshake_accept(str_trim(r.key), accept);
        HOLDS(strlen(accept) == HANDSHAKE_ACCEPT_SIZE - 1);
        HOLDS(handshake_wanted(&r));
    }
    hb_str token = handshake_token(r.protocol);
    HOLDS(!token.p || str_find(r.protocol, token) != SIZE_MAX);
    HOLDS(!handshake_subprotocol(r.protocol) ||
        str_find(r.protocol, HB_STR(HANDSHAKE_SUBPROTOCOL)) != SIZE_MAX);
    HOLDS(!handshake_deflate(r.extensions).p || r.extensions.n >= strlen("permessage-deflate"));
    return 0;
}
