/*
 * Signatures, so that the backend knows who asks: the form of Standard Webhooks, for which there
 * are libraries in most languages. HMAC-SHA256 over "ID.TIMESTAMP.BODY", one for each secret, so
 * that secrets can be changed one after the other. Any thread.
 */
#ifndef WEBHOOK_SIGN_H
#define WEBHOOK_SIGN_H

#include <hubbub/options.h>

enum {
    SIGN_SECRETS_MAX = 4,
    SIGN_SECRET_MAX = 256,
    SIGN_ID_MAX = 40,
    SIGN_MAX = SIGN_SECRETS_MAX * 48
};

struct sign_keys {
    size_t n;
    struct {
        unsigned char bytes[SIGN_SECRET_MAX];
        size_t n;
    } items[SIGN_SECRETS_MAX];
};

/* A secret is its own bytes, or base64 behind "whsec_". False with a sentence, which does not hold
 * it. At least 24 bytes each, unless `lenient`. */
bool sign_read(
    const hb_strings *secrets, bool lenient, struct sign_keys *out, char *error, size_t error_size);

/* "msg_" and 32 hexadecimal digits at random. */
void sign_id(char out[static SIGN_ID_MAX]);

/* The header webhook-signature: "v1,BASE64 v1,BASE64". */
void sign_body(const struct sign_keys *keys, const char *id, int64_t timestamp_s, hb_str body,
    char out[static SIGN_MAX]);

#endif
