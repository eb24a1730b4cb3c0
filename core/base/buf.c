#include "base/buf.h"
#include "base/check.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_MIN = 64 };

void buf_init(struct buf *b)
{
    *b = (struct buf)BUF_INIT;
}

void buf_finish(struct buf *b)
{
    free(b->p);
    buf_init(b);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

static char *fail(struct buf *b)
{
    b->failed = true;
    return NULL;
}

/* Make room for `need` bytes in all. */
static bool grow(struct buf *b, size_t need)
{
    size_t cap = b->cap < CAP_MIN / 2 ? CAP_MIN : b->cap * 2;
    if (cap < need)
        cap = need;
    if (b->limit && cap > b->limit)
        cap = b->limit;
    char *p = mem_try_realloc(b->p, cap);
    if (!p)
        return false;
    b->p = p;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t extra)
{
    size_t most = b->limit && b->limit < PTRDIFF_MAX ? b->limit : PTRDIFF_MAX;
    if (b->failed)
        return NULL;
    if (b->n > most || extra > most - b->n)
        return fail(b);
    if ((b->n + extra > b->cap || !b->p) && !grow(b, b->n + extra))
        return fail(b);
    return b->p + b->n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_str(struct buf *b, hb_str s)
{
    buf_append(b, s.p, s.n);
}

void buf_lit(struct buf *b, const char *cstr)
{
    buf_append(b, cstr, strlen(cstr));
}

void buf_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    buf_append(b, digits + at, sizeof digits - at);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_char(b, '-');
    buf_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    char *text = small;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n >= (int)sizeof small) {
        text = mem_try_alloc((size_t)n + 1);
        if (text)
            vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (n < 0 || !text)
        fail(b);
    else
        buf_append(b, text, (size_t)n);
    if (text != small)
        free(text);
}

/* 1: stands for itself inside a JSON string. */
static const uint8_t JSON_PLAIN[256] = {
    [0x20 ... 0x21] = 1,
    [0x23 ... 0x5b] = 1,
    [0x5d ... 0x7e] = 1,
};

static void json_escape(struct buf *b, unsigned char c)
{
    static const char SHORT[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char HEX[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
    size_t n = 6;
    if (c == '"' || c == '\\' || (c < 32 && SHORT[c])) {
        text[1] = c < 32 ? SHORT[c] : (char)c;
        n = 2;
    }
    buf_append(b, text, n);
}

/* Append the character at the head of `s`, which is no ASCII; how many bytes it took. */
static size_t json_multibyte(struct buf *b, hb_str s)
{
    int n = utf8_next(s);
    if (n < 0) {
        buf_lit(b, "\xef\xbf\xbd");
        return (size_t)-n;
    }
    if (n == 3 && !memcmp(s.p, "\xe2\x80", 2) && (s.p[2] & 0xfe) == 0xa8)
        buf_lit(b, s.p[2] & 1 ? "\\u2029" : "\\u2028");
    else
        buf_append(b, s.p, (size_t)n);
    return (size_t)n;
}

void buf_json_str(struct buf *b, hb_str s)
{
    buf_reserve(b, s.n + 2);
    buf_char(b, '"');
    for (size_t i = 0; i < s.n && !b->failed;) {
        size_t from = i;
        while (i < s.n && JSON_PLAIN[(unsigned char)s.p[i]])
            i++;
        buf_append(b, s.p + from, i - from);
        if (i == s.n)
            break;
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x80) {
            json_escape(b, c);
            i++;
        } else {
            i += json_multibyte(b, (hb_str){s.p + i, s.n - i});
        }
    }
    buf_char(b, '"');
}

hb_str buf_view(const struct buf *b)
{
    return (hb_str){b->p ? b->p : "", b->n};
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    b->n -= n;
    memmove(b->p, b->p + n, b->n);
}
