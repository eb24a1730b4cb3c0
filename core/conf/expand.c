#include "conf/expand.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 64 };

static bool is_name(hb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

/* What stands between "${" and "}". */
static bool put(hb_str inside, struct buf *out, char *why, size_t why_size)
{
    size_t colon = str_find(inside, HB_STR(":-"));
    hb_str name = str_sub(inside, 0, colon);
    char text[NAME_MAX_BYTES + 1];
    if (!is_name(name)) {
        snprintf(why, why_size, "expected ${NAME} or ${NAME:-default}; a lone ${ is written $${");
        return false;
    }
    snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
    const char *value = getenv(text);
    if (colon == SIZE_MAX && !value) {
        snprintf(why, why_size, "the variable %s is not set and has no default", text);
        return false;
    }
    if (value && (*value || colon == SIZE_MAX))
        buf_lit(out, value);
    else
        buf_str(out, str_sub(inside, colon + 2, inside.n));
    return true;
}

bool expand(hb_str raw, struct buf *out, char *why, size_t why_size)
{
    for (size_t at; (at = str_find(raw, HB_STR("${"))) != SIZE_MAX;) {
        if (at > 0 && raw.p[at - 1] == '$') {
            buf_str(out, str_sub(raw, 0, at - 1));
            buf_lit(out, "${");
            raw = str_sub(raw, at + 2, raw.n);
            continue;
        }
        hb_str rest = str_sub(raw, at + 2, raw.n);
        size_t end = str_find(rest, HB_STR("}"));
        if (end == SIZE_MAX) {
            snprintf(why, why_size, "a ${ without its }");
            return false;
        }
        buf_str(out, str_sub(raw, 0, at));
        if (!put(str_sub(rest, 0, end), out, why, why_size))
            return false;
        raw = str_sub(rest, end + 1, rest.n);
    }
    buf_str(out, raw);
    return true;
}
