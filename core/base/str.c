#include "base/str.h"
#include "base/check.h"
#include <string.h>

enum { DISTANCE_MAX = 64 };

hb_str str_of(const char *cstr)
{
    return (hb_str){cstr, cstr ? strlen(cstr) : 0};
}

/* memcmp that takes the null pointers of absent and empty strings. */
static bool same(const char *a, const char *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

bool str_eq(hb_str a, hb_str b)
{
    return a.n == b.n && same(a.p, b.p, a.n);
}

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool str_eq_nocase(hb_str a, hb_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(hb_str s, hb_str prefix)
{
    return s.n >= prefix.n && same(s.p, prefix.p, prefix.n);
}

bool str_ends(hb_str s, hb_str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || same(s.p + s.n - suffix.n, suffix.p, suffix.n));
}

int str_cmp(hb_str a, hb_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

hb_str str_sub(hb_str s, size_t from, size_t n)
{
    if (!s.p)
        return s;
    if (from > s.n)
        from = s.n;
    return (hb_str){s.p + from, n < s.n - from ? n : s.n - from};
}

size_t str_find(hb_str s, hb_str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

hb_str str_trim(hb_str s)
{
    while (s.n > 0 && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_split(hb_str *rest, char sep, hb_str *field)
{
    if (!rest->p)
        return false;
    const char *at = memchr(rest->p, sep, rest->n);
    if (!at) {
        *field = *rest;
        *rest = (hb_str){NULL, 0};
        return true;
    }
    size_t n = (size_t)(at - rest->p);
    *field = (hb_str){rest->p, n};
    *rest = (hb_str){at + 1, rest->n - n - 1};
    return true;
}

hb_str str_copy(hb_str s)
{
    if (!s.p)
        return s;
    return (hb_str){mem_strndup(s.p, s.n), s.n};
}

hb_str str_put(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = memcpy(*at, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

hb_str str_put_z(char **at, hb_str s)
{
    hb_str copy = str_put(at, s);
    if (copy.p)
        *(*at)++ = '\0';
    return copy;
}

bool str_u64(hb_str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_eq_secret(hb_str a, hb_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    volatile unsigned char differ = a.n != b.n;
    for (size_t i = 0; i < n; i++)
        differ = differ | (unsigned char)(a.p[i] ^ b.p[i]);
    return differ == 0;
}

bool str_glob(hb_str pattern, hb_str name)
{
    size_t p = 0, n = 0;
    size_t star = SIZE_MAX; /* the last `*` passed, and where in the name its run ends so far */
    size_t run_end = 0;
    while (n < name.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            run_end = n;
        } else if (p < pattern.n && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++run_end;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

size_t str_distance(hb_str a, hb_str b)
{
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return SIZE_MAX;
    size_t row[DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t diagonal = row[0]++;
        for (size_t j = 0; j < b.n; j++) {
            size_t replaced = diagonal + (a.p[i] != b.p[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, row[j] + 1, diagonal + 1);
        }
    }
    return row[b.n];
}
