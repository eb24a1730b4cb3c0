#include "base/json.h"
#include "base/utf8.h"
#include <endian.h>
#include <string.h>

typedef unsigned char byte;

/* --- Runs of bytes, eight at a time ------------------------------------------------------------
 * Each function returns the first byte that stops the run, or `end`. In the word tests a stopping
 * byte gets its top bit; a borrow can only falsify bytes above one that stops, and the lowest
 * counts. */

#define EACH(b) ((uint64_t)0x0101010101010101 * (b))

static inline uint64_t load8(const byte *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* 1: needs no look inside a string. */
static const uint8_t PLAIN[256] = {
    [0x20 ... 0x21] = 1,
    [0x23 ... 0x5b] = 1,
    [0x5d ... 0x7f] = 1,
};

/* Stops at quote, backslash, control characters and all that is not ASCII. */
static inline const byte *plain_run(const byte *p, const byte *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word = load8(p);
        uint64_t stop = word | (word - EACH(0x20)) | ((word ^ EACH('"')) - EACH(1)) |
            ((word ^ EACH('\\')) - EACH(1));
        stop &= EACH(0x80);
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
    }
    while (p < end && PLAIN[*p])
        p++;
    return p;
}

/* Stops at quote and backslash. */
static inline const byte *quoted_run(const byte *p, const byte *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t quote = load8(p) ^ EACH('"');
        uint64_t backslash = load8(p) ^ EACH('\\');
        uint64_t stop = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash);
        stop &= EACH(0x80);
        if (stop)
            return p + (__builtin_ctzll(stop) >> 3);
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

static inline bool is_space(byte c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const byte *skip_space(const byte *p, const byte *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* --- Checking ------------------------------------------------------------------------------- */

struct scan {
    const byte *end;
    unsigned depth, max_depth;
    enum json_status status;
    const byte *fault;
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* a bit per open level: an object, else an array */
};

/* The parts below take the place they start at and return the place behind, or NULL by this. */
static const byte *fail(struct scan *s, enum json_status status, const byte *at)
{
    s->status = status;
    s->fault = at;
    return NULL;
}

static int hex_value(byte c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of four hex digits at p, or -1. */
static int32_t hex4(const byte *p, const byte *end)
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

static bool high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* \uXXXX, at its backslash. */
static const byte *check_unicode_escape(struct scan *s, const byte *p)
{
    int32_t unit = hex4(p + 2, s->end);
    if (unit < 0)
        return fail(s, JSON_SYNTAX, p);
    if (low_surrogate(unit))
        return fail(s, JSON_SURROGATE, p);
    if (!high_surrogate(unit))
        return p + 6;
    if (s->end - p < 8 || p[6] != '\\' || p[7] != 'u' || !low_surrogate(hex4(p + 8, s->end)))
        return fail(s, JSON_SURROGATE, p);
    return p + 12;
}

static const byte *check_escape(struct scan *s, const byte *p)
{
    if (s->end - p < 2)
        return fail(s, JSON_SYNTAX, s->end);
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        return check_unicode_escape(s, p);
    default:
        return fail(s, JSON_SYNTAX, p);
    }
}

static const byte *check_multibyte(struct scan *s, const byte *p)
{
    while (p < s->end && *p >= 0x80) {
        int n = utf8_next((hb_str){(const char *)p, (size_t)(s->end - p)});
        if (n < 0)
            return fail(s, JSON_UTF8, p);
        p += n;
    }
    return p;
}

/* A string, behind its opening quote. */
static const byte *check_string(struct scan *s, const byte *p)
{
    for (;;) {
        p = plain_run(p, s->end);
        if (p == s->end)
            return fail(s, JSON_SYNTAX, p);
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p = check_escape(s, p);
        else if (*p >= 0x80)
            p = check_multibyte(s, p);
        else
            return fail(s, JSON_SYNTAX, p);
        if (!p)
            return NULL;
    }
}

/* One digit or more. */
static inline const byte *check_digits(struct scan *s, const byte *p)
{
    const byte *from = p;
    while (p < s->end && *p >= '0' && *p <= '9')
        p++;
    return p > from ? p : fail(s, JSON_SYNTAX, p);
}

static const byte *check_number(struct scan *s, const byte *p)
{
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0')
        p++;
    else
        p = check_digits(s, p);
    if (p && p < s->end && *p == '.')
        p = check_digits(s, p + 1);
    if (p && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        p = check_digits(s, p);
    }
    return p;
}

static const byte *check_word(struct scan *s, const byte *p, hb_str word)
{
    if ((size_t)(s->end - p) < word.n || memcmp(p, word.p, word.n) != 0)
        return fail(s, JSON_SYNTAX, p);
    return p + word.n;
}

/* A key and its colon. */
static const byte *check_key(struct scan *s, const byte *p)
{
    p = skip_space(p, s->end);
    if (p == s->end || *p != '"')
        return fail(s, JSON_SYNTAX, p);
    p = check_string(s, p + 1);
    if (!p)
        return NULL;
    p = skip_space(p, s->end);
    if (p == s->end || *p != ':')
        return fail(s, JSON_SYNTAX, p);
    return p + 1;
}

static inline bool in_object(const struct scan *s)
{
    unsigned level = s->depth - 1;
    return s->objects[level / 64] >> level % 64 & 1;
}

/* A bracket that opens. Ends where a value is due, with *more set, or at the closing bracket of an
 * empty one. */
static const byte *open_container(struct scan *s, const byte *p, bool *more)
{
    bool object = *p == '{';
    if (s->depth == s->max_depth)
        return fail(s, JSON_TOO_DEEP, p);
    uint64_t bit = (uint64_t)1 << s->depth % 64;
    uint64_t *word = &s->objects[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    p = skip_space(p + 1, s->end);
    if (p < s->end && *p == (object ? '}' : ']'))
        return p;
    *more = true;
    return object ? check_key(s, p) : p;
}

/* What may follow a value: brackets that close, then a comma and, in an object, the next key. *more
 * tells that a value is due; it stays false at the end of the outermost value. */
static const byte *close_value(struct scan *s, const byte *p, bool *more)
{
    while (s->depth > 0) {
        bool object = in_object(s);
        p = skip_space(p, s->end);
        if (p == s->end)
            return fail(s, JSON_SYNTAX, p);
        if (*p == ',') {
            *more = true;
            return object ? check_key(s, p + 1) : p + 1;
        }
        if (*p != (object ? '}' : ']'))
            return fail(s, JSON_SYNTAX, p);
        s->depth--;
        p++;
    }
    return p;
}

/* A scalar, whole, or the opening of a container (see open_container). */
static const byte *begin_value(struct scan *s, const byte *p, bool *more)
{
    p = skip_space(p, s->end);
    if (p == s->end)
        return fail(s, JSON_SYNTAX, p);
    switch (*p) {
    case '"':
        return check_string(s, p + 1);
    case '{':
    case '[':
        return open_container(s, p, more);
    case 't':
        return check_word(s, p, HB_STR("true"));
    case 'f':
        return check_word(s, p, HB_STR("false"));
    case 'n':
        return check_word(s, p, HB_STR("null"));
    case '-':
    case '0' ... '9':
        return check_number(s, p);
    default:
        return fail(s, JSON_SYNTAX, p);
    }
}

static const byte *check_value(struct scan *s, const byte *p)
{
    bool more;
    do {
        more = false;
        p = begin_value(s, p, &more);
        if (p && !more)
            p = close_value(s, p, &more);
    } while (p && more);
    return p;
}

enum json_status json_check(hb_str text, unsigned max_depth, size_t *at)
{
    const byte *start = (const byte *)(text.p ? text.p : "");
    struct scan s;
    s.end = start + text.n;
    s.depth = 0;
    s.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX;
    s.status = JSON_OK;
    const byte *p = check_value(&s, start);
    if (p) {
        p = skip_space(p, s.end);
        if (p < s.end)
            fail(&s, JSON_SYNTAX, p);
    }
    if (s.status != JSON_OK && at)
        *at = (size_t)(s.fault - start);
    return s.status;
}

/* --- Walking checked text ---------------------------------------------------------------------
 * Bounds are kept all the same: text that was not checked gives nonsense, not a fault. */

/* Behind the closing quote, from behind the opening one. */
static const byte *skip_string(const byte *p, const byte *end)
{
    while ((p = quoted_run(p, end)) < end) {
        if (*p == '"')
            return p + 1;
        p = end - p < 2 ? end : p + 2;
    }
    return end;
}

enum { QUOTE = 1, OPEN, CLOSE };

static const uint8_t STRUCTURE[256] = {
    ['"'] = QUOTE, ['{'] = OPEN, ['['] = OPEN, ['}'] = CLOSE, [']'] = CLOSE,
};

static const byte *skip_container(const byte *p, const byte *end)
{
    size_t depth = 0;
    while (p < end) {
        switch (STRUCTURE[*p++]) {
        case QUOTE:
            p = skip_string(p, end);
            break;
        case OPEN:
            depth++;
            break;
        case CLOSE:
            if (--depth == 0)
                return p;
            break;
        }
    }
    return end;
}

static bool ends_scalar(byte c)
{
    return c == ',' || c == '}' || c == ']' || is_space(c);
}

static const byte *skip_value(const byte *p, const byte *end)
{
    if (p == end)
        return end;
    if (*p == '"')
        return skip_string(p + 1, end);
    if (*p == '{' || *p == '[')
        return skip_container(p, end);
    while (p < end && !ends_scalar(*p))
        p++;
    return p;
}

static hb_str slice(const byte *from, const byte *to)
{
    return (hb_str){(const char *)from, (size_t)(to - from)};
}

static hb_str trim(hb_str s)
{
    const byte *p = (const byte *)s.p, *end = p + s.n;
    p = skip_space(p, end);
    while (end > p && is_space(end[-1]))
        end--;
    return slice(p, end);
}

enum json_type json_type(hb_str value)
{
    value = trim(value);
    switch (value.n ? value.p[0] : 'n') {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

struct json_iter json_iter(hb_str checked_value)
{
    return (struct json_iter){checked_value};
}

/* Step over `opening` or a comma to the next member; NULL at the end. */
static const byte *next_member(struct json_iter *it, byte opening)
{
    if (it->rest.n == 0)
        return NULL;
    const byte *p = (const byte *)it->rest.p, *end = p + it->rest.n;
    p = skip_space(p, end);
    if (p < end && (*p == opening || *p == ',')) {
        p = skip_space(p + 1, end);
        if (p < end && *p != '}' && *p != ']')
            return p;
    }
    it->rest = slice(end, end);
    return NULL;
}

bool json_next_item(struct json_iter *it, hb_str *value)
{
    const byte *p = next_member(it, '[');
    if (!p)
        return false;
    const byte *end = (const byte *)it->rest.p + it->rest.n;
    const byte *behind = skip_value(p, end);
    *value = slice(p, behind);
    it->rest = slice(behind, end);
    return true;
}

bool json_next_field(struct json_iter *it, hb_str *raw_key, hb_str *value)
{
    const byte *p = next_member(it, '{');
    if (!p)
        return false;
    const byte *end = (const byte *)it->rest.p + it->rest.n;
    const byte *key = p + 1;
    const byte *key_end = skip_string(key, end);
    p = skip_space(key_end, end);
    p = skip_space(p < end ? p + 1 : p, end);
    const byte *behind = skip_value(p, end);
    *raw_key = slice(key, key_end > key ? key_end - 1 : key);
    *value = slice(p, behind);
    it->rest = slice(behind, end);
    return true;
}

hb_str json_get(hb_str checked_object, hb_str key)
{
    struct json_iter it = json_iter(checked_object);
    hb_str name, value;
    while (json_next_field(&it, &name, &value))
        if (json_key_eq(name, key))
            return value;
    return (hb_str){NULL, 0};
}

/* --- Decoding ------------------------------------------------------------------------------- */

static size_t encode_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Decode the escape at p (its backslash) into `out`; the place behind it. */
static const byte *decode_escape(const byte *p, const byte *end, char out[4], size_t *n)
{
    static const char SHORT[256] = {['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    *n = 1;
    if (end - p < 2) {
        out[0] = '\\';
        return end;
    }
    if (p[1] != 'u') {
        out[0] = SHORT[p[1]] ? SHORT[p[1]] : (char)p[1];
        return p + 2;
    }
    int32_t unit = hex4(p + 2, end);
    if (unit < 0) {
        out[0] = 'u';
        return p + 2;
    }
    int32_t low = high_surrogate(unit) && end - p >= 12 ? hex4(p + 8, end) : -1;
    if (!low_surrogate(low)) {
        *n = encode_utf8((uint32_t)unit, out);
        return p + 6;
    }
    *n = encode_utf8(0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00), out);
    return p + 12;
}

bool json_key_eq(hb_str raw_key, hb_str plain)
{
    const byte *p = (const byte *)raw_key.p, *end = p + raw_key.n;
    size_t at = 0;
    if (raw_key.n < plain.n)
        return false; /* an escape is never shorter than what it stands for */
    while (p < end) {
        char one[4] = {(char)*p};
        size_t n = 1;
        p = *p == '\\' ? decode_escape(p, end, one, &n) : p + 1;
        if (n > plain.n - at || memcmp(one, plain.p + at, n) != 0)
            return false;
        at += n;
    }
    return at == plain.n;
}

/* Between the quotes of a string value; absent when it is none. */
static hb_str unquote(hb_str value)
{
    value = trim(value);
    if (value.n < 2 || value.p[0] != '"')
        return (hb_str){NULL, 0};
    return (hb_str){value.p + 1, value.n - 2};
}

bool json_string(hb_str value, struct buf *out)
{
    hb_str raw = unquote(value);
    if (!raw.p)
        return false;
    const byte *p = (const byte *)raw.p, *end = p + raw.n;
    buf_reserve(out, raw.n);
    while (p < end) {
        const byte *escape = memchr(p, '\\', (size_t)(end - p));
        if (!escape)
            escape = end;
        buf_append(out, p, (size_t)(escape - p));
        p = escape;
        if (p < end) {
            char one[4];
            size_t n;
            p = decode_escape(p, end, one, &n);
            buf_append(out, one, n);
        }
    }
    return true;
}

hb_str json_string_plain(hb_str value)
{
    hb_str raw = unquote(value);
    if (raw.p && memchr(raw.p, '\\', raw.n))
        return (hb_str){NULL, 0};
    return raw;
}

bool json_int(hb_str value, int64_t *out)
{
    value = trim(value);
    bool negative = value.n > 0 && value.p[0] == '-';
    int64_t v = 0;
    if (value.n == negative)
        return false;
    for (size_t i = negative; i < value.n; i++) {
        int digit = value.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool json_bool(hb_str value, bool *out)
{
    value = trim(value);
    if (json_type(value) != JSON_BOOL)
        return false;
    *out = value.p[0] == 't';
    return true;
}
