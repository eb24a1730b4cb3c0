#include "payload.h"
#include <string.h>

struct engine_packet payload_packet(hb_str text)
{
    struct engine_packet packet = {ENGINE_FAULT, {NULL, 0}};
    if (text.n > 0 && *text.p >= '0' && *text.p <= '6')
        packet =
            (struct engine_packet){(enum engine_type)(*text.p - '0'), {text.p + 1, text.n - 1}};
    else if (text.n > 0 && *text.p == 'b')
        packet = (struct engine_packet){ENGINE_BASE64, {text.p + 1, text.n - 1}};
    return packet;
}

bool payload_next(hb_str *rest, struct engine_packet *out)
{
    if (!rest->p)
        return false;
    const char *end = rest->n ? memchr(rest->p, PAYLOAD_SEPARATOR[0], rest->n) : NULL;
    hb_str text = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = end ? (hb_str){end + 1, rest->n - text.n - 1} : (hb_str){NULL, 0};
    *out = payload_packet(text);
    return true;
}
