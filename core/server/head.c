#include "server/head.h"

#include "base/str.h"
#include <string.h>

struct counts {
    unsigned length, encoding, host, origin;
};

static void count(hb_str line, struct counts *c)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return;
    hb_str name = {line.p, (size_t)(colon - line.p)};
    if (str_eq_nocase(name, HB_STR("content-length")))
        c->length++;
    else if (str_eq_nocase(name, HB_STR("transfer-encoding")))
        c->encoding++;
    else if (str_eq_nocase(name, HB_STR("host")))
        c->host++;
    else if (str_eq_nocase(name, HB_STR("origin")))
        c->origin++;
}

static enum head_verdict judge(const struct counts *c, bool http_1_0)
{
    if (c->length + c->encoding > 1 || c->host > 1 || c->origin > 1)
        return HEAD_BAD;
    if (http_1_0)
        return c->encoding ? HEAD_BAD : HEAD_OK;
    if (!c->host)
        return HEAD_NO_HOST;
    return c->encoding ? HEAD_CHUNKED : HEAD_OK;
}

enum head_verdict head_check(hb_str bytes)
{
    struct counts c = {0};
    bool first = true, http_1_0 = false;
    const char *p = bytes.p, *end = bytes.p + bytes.n, *newline;
    while (p < end && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        if (newline == p || newline[-1] != '\r')
            return HEAD_BAD;
        hb_str line = {p, (size_t)(newline - p) - 1};
        p = newline + 1;
        if (first && !line.n)
            continue; /* RFC 9112 2.2: an empty line before the request */
        if (!line.n)
            return judge(&c, http_1_0);
        if (first)
            http_1_0 = str_ends(line, HB_STR("HTTP/1.0"));
        else if (*line.p == ' ' || *line.p == '\t')
            return HEAD_BAD;
        else
            count(line, &c);
        first = false;
    }
    return HEAD_INCOMPLETE;
}

/* How many bytes of empty lines stand before the request (RFC 9112, 2.2). */
static size_t empty_lines(hb_str bytes)
{
    size_t at = 0;
    for (;;) {
        size_t end = at + (at < bytes.n && bytes.p[at] == '\r');
        if (end >= bytes.n || bytes.p[end] != '\n')
            return at;
        at = end + 1;
    }
}

bool head_complete(hb_str bytes)
{
    size_t at = empty_lines(bytes);
    for (const char *p; at < bytes.n && (p = memchr(bytes.p + at, '\n', bytes.n - at));) {
        at = (size_t)(p - bytes.p) + 1;
        if (at < bytes.n && bytes.p[at] == '\r')
            at++;
        if (at < bytes.n && bytes.p[at] == '\n')
            return true;
    }
    return false;
}

hb_str head_field(hb_str bytes, hb_str name)
{
    hb_str line, key;
    bool begun = false; /* the request line is read */
    while (str_split(&bytes, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (!line.n && begun)
            break;
        if (begun && str_split(&line, ':', &key) && line.p && str_eq_nocase(key, name))
            return str_trim(line);
        begun |= line.n > 0;
    }
    return (hb_str){NULL, 0};
}

hb_str head_method(hb_str bytes)
{
    hb_str method = {NULL, 0};
    while (bytes.n && (*bytes.p == '\r' || *bytes.p == '\n'))
        bytes = str_sub(bytes, 1, SIZE_MAX);
    str_split(&bytes, ' ', &method);
    return method;
}
