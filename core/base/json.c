#include "base/json.h"
#include "base/json_text.h"

/* Bounds are kept even for text that was not checked: it gives nonsense, not a fault. */

/* Stops at quote and backslash. */
static inline const byte *quoted_run(const byte *p, const byte *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t quote = load8(p) ^ EACH('"');
        uint64_t backslash = load8(p) ^ EACH('\\');
        uint64_t stop = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash);
        stop &= EACH(0x80);
        if (stop)
            return p + first_stop(stop);
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

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
    if (s.n == 0)
        return s;
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
    static const char SHORT[256] = {
        ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
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

static bool has_escape(hb_str raw)
{
    return raw.n > 0 && memchr(raw.p, '\\', raw.n);
}

bool json_keys_eq(hb_str raw_key, hb_str other_raw_key)
{
    if (!has_escape(other_raw_key))
        return json_key_eq(raw_key, other_raw_key);
    if (!has_escape(raw_key))
        return json_key_eq(other_raw_key, raw_key);
    struct buf plain = BUF_INIT;
    json_string((hb_str){raw_key.p - 1, raw_key.n + 2}, &plain);
    bool equal = json_key_eq(other_raw_key, buf_view(&plain));
    buf_finish(&plain);
    return equal;
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
    return has_escape(raw) ? (hb_str){NULL, 0} : raw;
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
