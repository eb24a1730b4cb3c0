#include "base/json.h"
#include "base/json_text.h"
#include "base/utf8.h"

struct scan {
    const byte *end;
    unsigned depth, max_depth;
    bool lone; /* half of a surrogate pair is fine */
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
            return p + first_stop(stop);
    }
    while (p < end && PLAIN[*p])
        p++;
    return p;
}

/* \uXXXX, at its backslash. */
static const byte *check_unicode_escape(struct scan *s, const byte *p)
{
    int32_t unit = hex4(p + 2, s->end);
    if (unit < 0)
        return fail(s, JSON_SYNTAX, p);
    if (s->lone || (!low_surrogate(unit) && !high_surrogate(unit)))
        return p + 6;
    if (low_surrogate(unit) || s->end - p < 8 || p[6] != '\\' || p[7] != 'u' ||
        !low_surrogate(hex4(p + 8, s->end)))
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

static void check_text(struct scan *s, hb_str text)
{
    const byte *start = (const byte *)(text.p ? text.p : "");
    s->end = start + text.n;
    s->depth = 0;
    s->status = JSON_OK;
    const byte *p = check_value(s, start);
    if (!p)
        return;
    p = skip_space(p, s->end);
    if (p < s->end)
        fail(s, JSON_SYNTAX, p);
}

enum json_status json_check(hb_str text, unsigned max_depth, size_t *at)
{
    struct scan s;
    s.lone = false;
    s.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX;
    check_text(&s, text);
    if (s.status != JSON_OK && at)
        *at = (size_t)(s.fault - (const byte *)(text.p ? text.p : ""));
    return s.status;
}

bool json_walkable(hb_str text)
{
    struct scan s;
    s.lone = true;
    s.max_depth = JSON_DEPTH_MAX;
    check_text(&s, text);
    return s.status == JSON_OK;
}
