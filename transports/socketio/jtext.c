#include "jtext.h"
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* ---- checking ---- */

struct checker {
    const char *p, *end;
    unsigned depth;
    bool halves; /* half a surrogate pair was seen */
    uint8_t in_object[JTEXT_DEPTH_MAX / 8 + 1];
};

/* p stands behind the backslash. */
static bool check_escape(struct checker *c)
{
    if (c->p == c->end)
        return false;
    if (*c->p != 'u')
        return memchr("\"\\/bfnrt", *c->p++, 8) != NULL;
    int32_t unit = hex4(c->p + 1, c->end), low = -1;
    if (unit < 0)
        return false;
    c->p += 5;
    if (is_high(unit) && c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u')
        low = hex4(c->p + 2, c->end);
    if (is_low(low))
        c->p += 6;
    else if (is_high(unit) || is_low(unit))
        c->halves = true;
    return true;
}

static bool check_string(struct checker *c)
{
    if (c->p == c->end || *c->p++ != '"')
        return false;
    while (c->p < c->end) {
        unsigned char byte = (unsigned char)*c->p++;
        if (byte == '"')
            return true;
        if (byte < 0x20 || (byte == '\\' && !check_escape(c)))
            return false;
    }
    return false;
}

static bool check_digits(struct checker *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > start;
}

static bool check_number(struct checker *c)
{
    if (c->p < c->end && *c->p == '-')
        c->p++;
    const char *first = c->p;
    if (!check_digits(c) || (*first == '0' && c->p - first > 1))
        return false;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!check_digits(c))
            return false;
    }
    if (c->p < c->end && (*c->p | 0x20) == 'e') {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        return check_digits(c);
    }
    return true;
}

static bool check_word(struct checker *c, const char *word, size_t n)
{
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool check_scalar(struct checker *c)
{
    if (c->p == c->end)
        return false;
    switch (*c->p) {
    case '"':
        return check_string(c);
    case 't':
        return check_word(c, "true", 4);
    case 'f':
        return check_word(c, "false", 5);
    case 'n':
        return check_word(c, "null", 4);
    default:
        return check_number(c);
    }
}

static bool in_object(const struct checker *c)
{
    return c->in_object[c->depth / 8] >> c->depth % 8 & 1;
}

static void enter(struct checker *c, bool object)
{
    c->depth++;
    if (object)
        c->in_object[c->depth / 8] |= (uint8_t)(1u << c->depth % 8);
    else
        c->in_object[c->depth / 8] &= (uint8_t)~(1u << c->depth % 8);
}

static bool check_key(struct checker *c)
{
    c->p = skip_space(c->p, c->end);
    if (!check_string(c))
        return false;
    c->p = skip_space(c->p, c->end);
    return c->p < c->end && *c->p++ == ':';
}

/* Behind a value: closes what it completes. False: the text is wrong; *more: another value comes. */
static bool check_after(struct checker *c, bool *more)
{
    for (*more = false; c->depth > 0; c->depth--) {
        c->p = skip_space(c->p, c->end);
        if (c->p == c->end)
            return false;
        char byte = *c->p++;
        if (byte == ',') {
            *more = true;
            return !in_object(c) || check_key(c);
        }
        if (byte != (in_object(c) ? '}' : ']'))
            return false;
    }
    return true;
}

/* Opens an array or object; *empty: it closed at once. */
static bool check_open(struct checker *c, bool *empty)
{
    bool object = *c->p++ == '{';
    c->p = skip_space(c->p, c->end);
    *empty = c->p < c->end && *c->p == (object ? '}' : ']');
    if (*empty) {
        c->p++;
        return true;
    }
    enter(c, object);
    return !object || check_key(c);
}

enum jtext_status jtext_check(hb_str text, unsigned depth)
{
    struct checker c = {.p = text.p, .end = text.p + text.n};
    bool more = true, empty = false;
    depth = depth < JTEXT_DEPTH_MAX ? depth : JTEXT_DEPTH_MAX;
    while (more) {
        c.p = skip_space(c.p, c.end);
        if (c.p < c.end && (*c.p == '{' || *c.p == '[')) {
            if (c.depth == depth)
                return JTEXT_TOO_DEEP;
            if (!check_open(&c, &empty))
                return JTEXT_SYNTAX;
            if (!empty)
                continue;
        } else if (!check_scalar(&c)) {
            return JTEXT_SYNTAX;
        }
        if (!check_after(&c, &more))
            return JTEXT_SYNTAX;
    }
    if (skip_space(c.p, c.end) != c.end)
        return JTEXT_SYNTAX;
    return c.halves ? JTEXT_SURROGATE : JTEXT_OK;
}

/* ---- walking what was checked ---- */

char jtext_kind(hb_str value)
{
    const char *p = skip_space(value.p, value.p + value.n);
    return strchr("{[\"tfn", *p) ? *p : '0';
}

static const char *string_end(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *value_end(const char *p, const char *end)
{
    unsigned depth = 0;
    do {
        if (*p == '"') {
            p = string_end(p);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        p++;
    } while (depth > 0);
    while (p < end && !strchr(",]}\" \t\r\n", *p)) /* the rest of a number or word */
        p++;
    return p;
}

struct jtext_iter jtext_iter(hb_str value)
{
    const char *p = skip_space(value.p, value.p + value.n);
    return (struct jtext_iter){p + 1, value.p + value.n};
}

/* To the next value or key; false at the end. */
static bool advance(struct jtext_iter *it)
{
    it->p = skip_space(it->p, it->end);
    if (it->p < it->end && *it->p == ',')
        it->p = skip_space(it->p + 1, it->end);
    return it->p < it->end && *it->p != ']' && *it->p != '}';
}

bool jtext_item(struct jtext_iter *it, hb_str *value)
{
    if (!advance(it))
        return false;
    const char *end = *it->p == '"' ? string_end(it->p) : value_end(it->p, it->end);
    *value = (hb_str){it->p, (size_t)(end - it->p)};
    it->p = end;
    return true;
}

bool jtext_field(struct jtext_iter *it, hb_str *key, hb_str *value)
{
    if (!advance(it))
        return false;
    const char *end = string_end(it->p);
    *key = (hb_str){it->p + 1, (size_t)(end - it->p) - 2};
    it->p = skip_space(skip_space(end, it->end) + 1, it->end); /* behind the colon */
    end = *it->p == '"' ? string_end(it->p) : value_end(it->p, it->end);
    *value = (hb_str){it->p, (size_t)(end - it->p)};
    it->p = end;
    return true;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xf0) | c);
    return n;
}

/* A character that was written as an escape; p stands behind its backslash and moves past it. */
static size_t unescape(const char **p, const char *end, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (**p != 'u') {
        out[0] = to[strchr(from, *(*p)++) - from];
        return 1;
    }
    int32_t unit = hex4(*p + 1, end), low = -1;
    *p += 5;
    if (is_high(unit) && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u')
        low = hex4(*p + 2, end);
    if (is_low(low)) {
        *p += 6;
        return put_utf8(0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00), out);
    }
    return put_utf8(is_high(unit) || is_low(unit) ? 0xfffd : (uint32_t)unit, out);
}

void jtext_mend(hb_str text, struct bytes *out)
{
    const char *p = text.p, *end = text.p + text.n, *from = p;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        const char *escape = p++;
        char utf8[4];
        if (unescape(&p, end, utf8) != 3 || memcmp(utf8, "\xef\xbf\xbd", 3) != 0)
            continue;
        bytes_append(out, from, (size_t)(escape - from));
        BYTES_LIT(out, "\\ufffd");
        from = p;
    }
    bytes_append(out, from, (size_t)(end - from));
}

bool jtext_key_is(hb_str raw, hb_str plain)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    size_t at = 0;
    if (!memchr(raw.p, '\\', raw.n))
        return str_same(raw, plain);
    while (p < end) {
        char text[4] = {*p};
        size_t n = 1;
        if (*p++ == '\\')
            n = unescape(&p, end, text);
        if (plain.n - at < n || memcmp(plain.p + at, text, n) != 0)
            return false;
        at += n;
    }
    return at == plain.n;
}

hb_str jtext_get(hb_str object, hb_str key)
{
    struct jtext_iter it = jtext_iter(object);
    hb_str name, value, found = {NULL, 0};
    while (jtext_field(&it, &name, &value))
        if (jtext_key_is(name, key))
            found = value;
    return found;
}

bool jtext_string(hb_str value, struct bytes *out)
{
    if (jtext_kind(value) != '"')
        return false;
    const char *p = skip_space(value.p, value.p + value.n) + 1, *end = string_end(p - 1) - 1;
    while (p < end) {
        const char *back = memchr(p, '\\', (size_t)(end - p));
        bytes_append(out, p, (size_t)((back ? back : end) - p));
        if (!back)
            break;
        char text[4];
        p = back + 1;
        size_t n = unescape(&p, end, text);
        bytes_append(out, text, n);
    }
    return true;
}
