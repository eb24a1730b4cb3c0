/*
 * Bytes inside JSON: what is split is JSON with placeholders for exactly its attachments, and joining
 * it with them gives the same value back; joining any placeholders with what is there gives JSON
 * again, or is refused.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "socketio/binary.h"
#include "socketio/jtext.h"

enum { DEPTH = 64 };

/* White space goes, where bytes stood: so two texts are compared after the same passage. */
static void pass(hb_str json, struct bytes *out)
{
    struct bytes split = BYTES_INIT, base64[PACKET_ATTACHMENTS_MAX];
    struct binary_parts parts;
    hb_str list[PACKET_ATTACHMENTS_MAX];
    binary_split(json, &split, &parts);
    HOLDS(parts.n <= PACKET_ATTACHMENTS_MAX && (parts.n > 0) == (split.n > 0));
    HOLDS(parts.n == 0 || jtext_check(bytes_view(&split), DEPTH) == JTEXT_OK);
    for (size_t i = 0; i < parts.n; i++) {
        struct bytes raw = BYTES_INIT;
        base64[i] = (struct bytes)BYTES_INIT;
        binary_bytes(parts.base64[i], &raw);
        HOLDS(!raw.failed);
        bytes_base64(&base64[i], bytes_view(&raw));
        list[i] = bytes_view(&base64[i]);
        bytes_finish(&raw);
    }
    if (parts.n == 0)
        bytes_str(out, json);
    else
        HOLDS(binary_join(bytes_view(&split), list, parts.n, out));
    HOLDS(jtext_check(bytes_view(out), DEPTH) == JTEXT_OK);
    for (size_t i = 0; i < parts.n; i++)
        bytes_finish(&base64[i]);
    bytes_finish(&split);
}

static void check_join(hb_str json)
{
    static const hb_str attachments[] = {{"AQID", 4}, {"", 0}, {"/+8=", 4}};
    struct bytes out = BYTES_INIT;
    if (binary_join(json, attachments, 3, &out))
        HOLDS(jtext_check(bytes_view(&out), DEPTH + 1) == JTEXT_OK);
    bytes_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str json = {(const char *)data, size};
    struct bytes once = BYTES_INIT, twice = BYTES_INIT;
    if (!utf8_valid(json) || jtext_check(json, DEPTH) != JTEXT_OK)
        return 0;
    check_join(json);
    pass(json, &once);
    pass(bytes_view(&once), &twice);
    HOLDS(str_same(bytes_view(&once), bytes_view(&twice)));
    bytes_finish(&once);
    bytes_finish(&twice);
    return 0;
}
