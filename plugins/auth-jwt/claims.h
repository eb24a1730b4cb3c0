/* The payload of a token whose signature was found good → claims, or why not. Pure. */
#ifndef AUTH_JWT_CLAIMS_H
#define AUTH_JWT_CLAIMS_H

#include "verify.h"
#include <jansson.h>

/* As verify_token. */
enum verify_result claims_read(
    const json_t *payload, const struct verify_policy *policy, int64_t now_ms, struct claims **out);
/* A JSON string's text, living as long as the value; absent for anything else, NULL included. */
hb_str claims_text(const json_t *value);

#endif
