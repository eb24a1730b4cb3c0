#include "b64.h"

static int value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ptrdiff_t b64_decode(hb_str text, unsigned char *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    ptrdiff_t n = 0;
    if (text.n % 4 == 1)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of((unsigned char)text.p[i]);
        if (v < 0)
            return -1;
        bits = bits << 6 | (unsigned)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (unsigned char)(bits >> held);
        }
    }
    /* Bits that no byte uses would give one token many spellings. */
    return (bits & ((1u << held) - 1)) ? -1 : n;
}
