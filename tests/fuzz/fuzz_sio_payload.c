/*
 * Engine.IO payloads: the packets and the separators between them are the whole body, none is left
 * out; and base64 that is taken goes back and forth.
 */
#include "fuzz.h"
#include "socketio/payload.h"
#include <string.h>

static void check_base64(hb_str text)
{
    struct bytes raw = BYTES_INIT, canonical = BYTES_INIT, again = BYTES_INIT;
    if (bytes_unbase64(&raw, text)) {
        bytes_base64(&canonical, bytes_view(&raw));
        HOLDS(canonical.n % 4 == 0 && bytes_unbase64(&again, bytes_view(&canonical)));
        HOLDS(str_same(bytes_view(&raw), bytes_view(&again)));
    } else {
        HOLDS(raw.n == 0);
    }
    bytes_finish(&raw);
    bytes_finish(&canonical);
    bytes_finish(&again);
}

/* How many bytes of the body this packet is; its separator is counted by the caller. */
static size_t check_packet(const struct engine_packet *p, hb_str text)
{
    if (p->type == ENGINE_FAULT) {
        HOLDS(text.n == 0 || ((*text.p < '0' || *text.p > '6') && *text.p != 'b'));
        return text.n;
    }
    HOLDS(p->data.p == text.p + 1 && p->data.n == text.n - 1);
    HOLDS(*text.p == (p->type == ENGINE_BASE64 ? 'b' : '0' + (char)p->type));
    if (p->type == ENGINE_BASE64)
        check_base64(p->data);
    return text.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str body = {size ? (const char *)data : "", size}, rest = body;
    struct engine_packet p;
    size_t at = 0;
    for (bool more = payload_next(&rest, &p); more;) {
        const char *end = memchr(body.p + at, PAYLOAD_SEPARATOR[0], size - at);
        hb_str text = {body.p + at, end ? (size_t)(end - body.p) - at : size - at};
        at += check_packet(&p, text);
        more = payload_next(&rest, &p);
        HOLDS(more == (end != NULL));
        at += more;
    }
    HOLDS(at == size);
    check_base64(body);
    return 0;
}
