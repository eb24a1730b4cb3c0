#include "text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_finish(struct text *t)
{
    free(t->p);
    *t = TEXT_INIT;
}

char *text_take(struct text *t, size_t *n)
{
    char *p = t->failed ? NULL : t->p;
    *n = t->n;
    if (t->failed)
        free(t->p);
    *t = TEXT_INIT;
    return p;
}

static bool make_room(struct text *t, size_t n)
{
    if (t->failed)
        return false;
    if (t->cap - t->n >= n)
        return true;
    size_t cap = t->cap ? t->cap * 2 : 512;
    while (cap - t->n < n)
        cap *= 2;
    char *grown = realloc(t->p, cap);
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->p = grown;
    t->cap = cap;
    return true;
}

void text_raw(struct text *t, const char *bytes, size_t n)
{
    if (!n || !make_room(t, n))
        return;
    memcpy(t->p + t->n, bytes, n);
    t->n += n;
}

void text_lit(struct text *t, const char *literal)
{
    text_raw(t, literal, strlen(literal));
}

/* How long the sequence of UTF-8 at p is; 0: it is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (len == 1)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
        return 0;
    unsigned long code = p[0] & (0xff >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    bool wrong = code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    return wrong ? 0 : len;
}

static void escaped(struct text *t, unsigned char c)
{
    char code[8];
    snprintf(code, sizeof(code), "\\u%04x", c);
    text_raw(t, code, 6);
}

void text_string(struct text *t, hb_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    text_lit(t, "\"");
    for (size_t i = 0; i < s.n;) {
        size_t len = sequence(p + i, s.n - i);
        if (p[i] == '"' || p[i] == '\\') {
            text_lit(t, "\\");
            text_raw(t, s.p + i, 1);
        } else if (p[i] < 0x20 || p[i] == 0x7f || len == 0) {
            escaped(t, p[i]);
        } else {
            text_raw(t, s.p + i, len);
        }
        i += len ? len : 1;
    }
    text_lit(t, "\"");
}

void text_key(struct text *t, const char *key)
{
    if (t->n && t->p[t->n - 1] != '{')
        text_lit(t, ",");
    text_lit(t, "\"");
    text_lit(t, key);
    text_lit(t, "\":");
}

void text_put(struct text *t, const char *key, hb_str s)
{
    text_key(t, key);
    if (s.p)
        text_string(t, s);
    else
        text_lit(t, "null");
}

void text_put_raw(struct text *t, const char *key, hb_str json)
{
    text_key(t, key);
    if (json.p)
        text_raw(t, json.p, json.n);
    else
        text_lit(t, "null");
}

void text_put_int(struct text *t, const char *key, int64_t n)
{
    char digits[24];
    text_key(t, key);
    text_raw(t, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n));
}

void text_put_bool(struct text *t, const char *key, bool yes)
{
    text_key(t, key);
    text_lit(t, yes ? "true" : "false");
}
