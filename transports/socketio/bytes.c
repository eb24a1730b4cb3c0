#include "bytes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_finish(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes)BYTES_INIT;
}

void bytes_clear(struct bytes *b)
{
    b->n = 0;
    b->failed = false;
}

char *bytes_reserve(struct bytes *b, size_t extra)
{
    if (b->failed)
        return NULL;
    if (b->p && extra <= b->cap - b->n)
        return b->p + b->n;
    size_t cap = b->n + extra < 64 ? 64 : b->n + extra + b->n / 2;
    char *grown = cap >= extra ? realloc(b->p, cap) : NULL;
    if (!grown) {
        b->failed = true;
        return NULL;
    }
    b->p = grown;
    b->cap = cap;
    return b->p + b->n;
}

void bytes_append(struct bytes *b, const void *p, size_t n)
{
    char *room = n ? bytes_reserve(b, n) : NULL;
    if (!room)
        return;
    memcpy(room, p, n);
    b->n += n;
}

void bytes_str(struct bytes *b, hb_str s)
{
    bytes_append(b, s.p, s.n);
}

void bytes_char(struct bytes *b, char c)
{
    bytes_append(b, &c, 1);
}

void bytes_u64(struct bytes *b, uint64_t v)
{
    char text[24];
    bytes_append(b, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

static void put_escaped(struct bytes *b, unsigned char c)
{
    char text[8];
    if (c == '"' || c == '\\') {
        bytes_char(b, '\\');
        bytes_char(b, (char)c);
    } else {
        bytes_append(b, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
    }
}

void bytes_json_str(struct bytes *b, hb_str s)
{
    size_t from = 0;
    bytes_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        bytes_append(b, s.p + from, i - from);
        put_escaped(b, c);
        from = i + 1;
    }
    bytes_append(b, s.p + from, s.n - from);
    bytes_char(b, '"');
}

hb_str bytes_view(const struct bytes *b)
{
    return (hb_str){b->p ? b->p : "", b->n};
}

/* ---- base64 ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void bytes_base64(struct bytes *b, hb_str raw)
{
    const unsigned char *in = (const unsigned char *)raw.p;
    char *out = bytes_reserve(b, (raw.n + 2) / 3 * 4);
    if (!out)
        return;
    for (size_t i = 0; i < raw.n; i += 3) {
        unsigned left = raw.n - i < 3 ? (unsigned)(raw.n - i) : 3;
        uint32_t three = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
            (left > 2 ? in[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[three & 63] : '=';
    }
    b->n = (size_t)(out - b->p);
}

static int value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool bytes_unbase64(struct bytes *b, hb_str text)
{
    size_t n = text.n;
    for (int pads = 0; pads < 2 && n > 0 && text.n % 4 == 0 && text.p[n - 1] == '='; pads++)
        n--;
    char *out = n % 4 == 1 ? NULL : bytes_reserve(b, n / 4 * 3 + 3);
    uint32_t bits = 0;
    size_t used = 0;
    if (!out)
        return false;
    for (size_t i = 0; i < n; i++) {
        int v = value_of((unsigned char)text.p[i]);
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 > 0)
            out[used++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    b->n += used;
    return true;
}
