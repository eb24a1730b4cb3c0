#include "admin/body.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include <stdio.h>

enum { DEPTH_MAX = 64 + 1, PATH_NAME_BYTES = 129 };

static bool fault(struct admin_call *call, const char *what, const char *sentence)
{
    char text[160];
    snprintf(text, sizeof(text), "%s%s%s", what, *what ? ": " : "", sentence);
    admin_error(call, HB_BAD_REQUEST, text);
    return false;
}

static bool read_field(struct admin_call *call, struct body_field *f, hb_str value)
{
    if (f->given)
        return fault(call, f->key, "given twice");
    f->given = true;
    f->json = value;
    if (f->type == BODY_INT && !json_int(value, &f->number))
        return fault(call, f->key, "expected an integer");
    if (f->type != BODY_NAME)
        return true;
    if (!json_string(value, &f->name) || !utf8_name(buf_view(&f->name), 1, f->max))
        return fault(call, f->key, "expected a string, not empty, not too long, without control characters");
    return true;
}

bool body_read(struct admin_call *call, struct body_field *fields, size_t n)
{
    hb_str body = str_trim(call->req->body), key, value;
    if (json_check(body, DEPTH_MAX, NULL) != JSON_OK || json_type(body) != JSON_OBJECT)
        return fault(call, "", "the body is no JSON object");
    for (struct json_iter it = json_iter(body); json_next_field(&it, &key, &value);) {
        size_t i = 0;
        while (i < n && !json_key_eq(key, str_of(fields[i].key)))
            i++;
        if (i == n)
            return fault(call, "", "a key that this request does not know");
        if (!read_field(call, &fields[i], value))
            return false;
    }
    return true;
}

void body_finish(struct body_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_finish(&fields[i].name);
}

bool body_path_name(struct admin_call *call, hb_str name, const char *what)
{
    return utf8_name(name, 1, PATH_NAME_BYTES) ||
        fault(call, what, "1 to 128 bytes of UTF-8 without control characters");
}
