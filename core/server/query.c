#include "server/query.h"

#include "base/check.h"
#include "base/str.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode into *to, which moves on. */
static hb_str decode(hb_str text, char **to)
{
    char *start = *to, *out = start;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int high = c == '%' && text.n - i > 2 ? hex(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex(text.p[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        *out++ = c;
    }
    *to = out;
    return (hb_str){start, (size_t)(out - start)};
}

static size_t count_params(hb_str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n && n < QUERY_PARAMS_MAX; i++)
        n += text.p[i] == '&';
    return n;
}

struct query *query_parse(hb_str text)
{
    size_t most = count_params(text);
    struct query *q = mem_try_alloc(sizeof *q + most * sizeof *q->params + text.n + 1);
    if (!q)
        return NULL;
    q->n = 0;
    char *to = (char *)(q->params + most);
    hb_str rest = text.p ? text : HB_STR(""), field;
    while (q->n < most && str_split(&rest, '&', &field)) {
        if (!field.n)
            continue;
        hb_str value = field, key;
        str_split(&value, '=', &key);
        struct query_param *p = &q->params[q->n++];
        p->key = decode(key, &to);
        p->value = decode(value.p ? value : HB_STR(""), &to);
    }
    return q;
}

hb_str query_get(const struct query *q, hb_str key, size_t nth)
{
    for (size_t i = 0; q && i < q->n; i++)
        if (str_eq(q->params[i].key, key) && nth-- == 0)
            return q->params[i].value;
    return (hb_str){0};
}
