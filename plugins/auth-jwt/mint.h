/* `hubbub token`: make a token with the configured key, for trying things out. Control thread. */
#ifndef AUTH_JWT_MINT_H
#define AUTH_JWT_MINT_H

#include "setup.h"
#include <hubbub/plugin.h>

#define MINT_USAGE                                                                                 \
    "hubbub token --user NAME [--ttl 1h] [--claim KEY=VALUE]… [-c FILE]\n"                       \
    "    Print a token signed with the configured key; VALUE is JSON if it parses.\n"              \
    "    --ttl 0 makes one that never expires."

struct mint_request {
    const char *user;
    int64_t ttl_ms;            /* 0: never expires */
    const char *const *claims; /* n_claims of "key=value"; they win over all else */
    size_t n_claims;
    int64_t now_ms; /* since 1970 */
};

/* The token, for free(); NULL with a sentence. Reads the signing key's file. */
char *mint_token(
    const struct setup *s, const struct mint_request *request, char *error, size_t error_size);
/* "90s", "15m", "1h", "2d", "500ms", or a plain number of seconds. */
bool mint_duration(const char *text, int64_t *out_ms);

int mint_run(const hb_ctx *ctx, int argc, char **argv); /* hb_command.run */

#endif
