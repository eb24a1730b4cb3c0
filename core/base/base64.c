#include "base/buf.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char STANDARD[] = LETTERS "+/";
static const char URL[] = LETTERS "-_";

static size_t encode_tail(const unsigned char *in, size_t n, const char *alphabet, char *out)
{
    unsigned bits = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0);
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    if (n == 1)
        return 2;
    out[2] = alphabet[bits >> 6 & 63];
    return 3;
}

static void encode(struct buf *b, hb_str bytes, const char *alphabet, bool padded)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    size_t n = bytes.n;
    char *out = n <= SIZE_MAX / 2 ? buf_reserve(b, (n + 2) / 3 * 4) : NULL;
    if (!out) {
        b->failed = true;
        return;
    }
    char *at = out;
    for (; n >= 3; n -= 3, in += 3, at += 4) {
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        at[0] = alphabet[bits >> 18];
        at[1] = alphabet[bits >> 12 & 63];
        at[2] = alphabet[bits >> 6 & 63];
        at[3] = alphabet[bits & 63];
    }
    if (n > 0)
        at += encode_tail(in, n, alphabet, at);
    while (padded && (at - out) % 4)
        *at++ = '=';
    b->n += (size_t)(at - out);
}

void buf_base64(struct buf *b, hb_str bytes)
{
    encode(b, bytes, STANDARD, true);
}

void buf_base64url(struct buf *b, hb_str bytes)
{
    encode(b, bytes, URL, false);
}

/* The six bits that `c` stands for, or -1. */
static int value_of(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

static bool decode(hb_str text, struct buf *out, const char *alphabet)
{
    if (text.n % 4 == 1)
        return false;
    unsigned char *to = (unsigned char *)buf_reserve(out, text.n / 4 * 3 + 2);
    if (!to)
        return false;
    size_t n = 0;
    unsigned bits = 0, held = 0; /* the low `held` bits of `bits` are not written yet */
    for (size_t i = 0; i < text.n; i++) {
        int value = value_of(text.p[i], alphabet);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[n++] = (unsigned char)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        return false;
    out->n += n;
    return true;
}

bool base64_decode(hb_str text, struct buf *out)
{
    if (text.n % 4)
        return false;
    for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
        text.n--;
    return decode(text, out, STANDARD);
}

bool base64url_decode(hb_str text, struct buf *out)
{
    return decode(text, out, URL);
}
