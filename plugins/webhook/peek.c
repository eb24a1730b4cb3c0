#include "peek.h"
#include <string.h>

struct scan {
    const unsigned char *p, *end;
};

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(struct scan *s, unsigned char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool word(struct scan *s, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
        return false;
    s->p += n;
    return true;
}

static bool digits(struct scan *s)
{
    const unsigned char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > start;
}

static bool number(struct scan *s)
{
    take(s, '-');
    if (!take(s, '0') && !digits(s))
        return false;
    if (take(s, '.') && !digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        return digits(s);
    }
    return true;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static long hex4(struct scan *s)
{
    long code = 0;
    if (s->end - s->p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*s->p++);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* Behind `\u`: a code point, of two escapes where it takes a pair; -1 for half a pair. */
static long code_point(struct scan *s)
{
    long high = hex4(s);
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || !word(s, "\\u"))
        return -1;
    long low = hex4(s);
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* One sequence of UTF-8 (RFC 3629), not ASCII. */
static bool sequence(struct scan *s)
{
    unsigned char c = *s->p, low = 0x80, high = 0xbf;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4 || s->end - s->p <= more)
        return false;
    if (c == 0xe0 || c == 0xf0)
        low = c == 0xe0 ? 0xa0 : 0x90;
    if (c == 0xed || c == 0xf4)
        high = c == 0xed ? 0x9f : 0x8f;
    if (s->p[1] < low || s->p[1] > high)
        return false;
    for (int i = 2; i <= more; i++)
        if ((s->p[i] & 0xc0) != 0x80)
            return false;
    s->p += more + 1;
    return true;
}

static bool escape(struct scan *s)
{
    if (s->p == s->end)
        return false;
    unsigned char c = *s->p++;
    return c == 'u' ? code_point(s) >= 0 : c && strchr("\"\\/bfnrt", c);
}

static bool string(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    while (s->p < s->end) {
        unsigned char c = *s->p;
        if (c == '"') {
            s->p++;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c >= 0x80) {
            if (!sequence(s))
                return false;
            continue;
        }
        s->p++;
        if (c == '\\' && !escape(s))
            return false;
    }
    return false;
}

static bool value(struct scan *s, int depth);

static bool members(struct scan *s, int depth, unsigned char close)
{
    blanks(s);
    if (take(s, close))
        return true;
    do {
        blanks(s);
        if (close == '}') {
            if (!string(s))
                return false;
            blanks(s);
            if (!take(s, ':'))
                return false;
        }
        if (!value(s, depth))
            return false;
        blanks(s);
    } while (take(s, ','));
    return take(s, close);
}

static bool value(struct scan *s, int depth)
{
    blanks(s);
    if (s->p == s->end)
        return false;
    switch (*s->p) {
    case '{':
    case '[':
        if (depth == PEEK_DEPTH_MAX)
            return false;
        return *s->p++ == '{' ? members(s, depth + 1, '}') : members(s, depth + 1, ']');
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return number(s);
    }
}

static struct scan scan_of(hb_str text)
{
    const unsigned char *p = (const unsigned char *)(text.p ? text.p : "");
    return (struct scan){p, p + text.n};
}

bool peek_check(hb_str text)
{
    struct scan s = scan_of(text);
    if (!text.p || !value(&s, 0))
        return false;
    blanks(&s);
    return s.p == s.end;
}

/* ---- Of what was checked. */

bool peek_is_object(hb_str v)
{
    struct scan s = scan_of(v);
    blanks(&s);
    return take(&s, '{');
}

bool peek_is_null(hb_str v)
{
    return v.n == 4 && memcmp(v.p, "null", 4) == 0;
}

static bool is_key(const unsigned char *quoted, const unsigned char *end, const char *key)
{
    size_t n = strlen(key);
    return (size_t)(end - quoted) == n + 2 && memcmp(quoted + 1, key, n) == 0;
}

hb_str peek_member(hb_str object, const char *key)
{
    struct scan s = scan_of(object);
    hb_str found = {NULL, 0};
    blanks(&s);
    if (!object.p || !take(&s, '{'))
        return found;
    do {
        blanks(&s);
        const unsigned char *name = s.p;
        if (!string(&s))
            break;
        bool match = is_key(name, s.p, key);
        blanks(&s);
        take(&s, ':');
        blanks(&s);
        const unsigned char *start = s.p;
        if (!value(&s, 1))
            break;
        if (match)
            found = (hb_str){(const char *)start, (size_t)(s.p - start)};
        blanks(&s);
    } while (take(&s, ','));
    return found;
}

int peek_bool(hb_str v)
{
    if (v.n == 4 && memcmp(v.p, "true", 4) == 0)
        return 1;
    return v.n == 5 && memcmp(v.p, "false", 5) == 0 ? 0 : -1;
}

static size_t put_utf8(char *to, long c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[more] | c >> (6 * more));
    for (int i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return 1 + (size_t)more;
}

static long unescape(struct scan *s)
{
    static const char names[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    unsigned char c = *s->p++;
    return c == 'u' ? code_point(s) : codes[strchr(names, c) - names];
}

/* An escape is never shorter than what it stands for, so the string's length is bound enough. */
hb_str peek_string(hb_str v, char *buf, size_t size)
{
    struct scan s = scan_of(v);
    size_t n = 0;
    if (!v.p || !take(&s, '"') || v.n - 2 > size)
        return (hb_str){NULL, 0};
    while (*s.p != '"') {
        unsigned char c = *s.p++;
        if (c == '\\')
            n += put_utf8(buf + n, unescape(&s));
        else
            buf[n++] = (char)c;
    }
    return (hb_str){buf, n};
}

bool peek_integer(hb_str v, int64_t *out)
{
    bool negative = v.n > 0 && v.p[0] == '-';
    int64_t n = 0;
    if (v.n == negative || v.n - negative > 18)
        return false;
    for (size_t i = negative; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        n = n * 10 + (v.p[i] - '0');
    }
    *out = negative ? -n : n;
    return true;
}
