/*
 * The JSON scanner: agrees with jansson on what is JSON, hands out values that are JSON themselves,
 * decodes strings to UTF-8 that encodes back; and keeps its bounds on text that was never checked.
 */
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "jansson_check.h"
#include <string.h>

enum { DEPTH = 64 };

static void compare_with_jansson(hb_str text, enum json_status status)
{
    enum jansson_says says = jansson_check(text.p, text.n);
    if (status == JSON_OK)
        HOLDS(says != JANSSON_REFUSES);
    else if (status != JSON_TOO_DEEP)
        HOLDS(says != JANSSON_ACCEPTS);
}

static void try_string(hb_str value)
{
    struct buf once = BUF_INIT, quoted = BUF_INIT, twice = BUF_INIT;
    HOLDS(json_string(value, &once));
    HOLDS(utf8_valid(buf_view(&once)));
    buf_json_str(&quoted, buf_view(&once));
    HOLDS(json_check(buf_view(&quoted), 0, NULL) == JSON_OK);
    HOLDS(json_string(buf_view(&quoted), &twice));
    HOLDS(once.n == twice.n && (once.n == 0 || !memcmp(once.p, twice.p, once.n)));
    hb_str raw = {value.p + 1, value.n - 2};
    HOLDS(json_key_eq(raw, buf_view(&once)));
    buf_finish(&once);
    buf_finish(&quoted);
    buf_finish(&twice);
}

/* Walk a checked value, at most DEPTH deep. */
static void walk(hb_str value)
{
    struct json_iter it = json_iter(value);
    enum json_type type = json_type(value);
    hb_str key, item;
    int64_t number;
    HOLDS(json_check(value, DEPTH, NULL) == JSON_OK);
    json_int(value, &number);
    if (type == JSON_STRING)
        try_string(value);
    while (type == JSON_OBJECT && json_next_field(&it, &key, &item)) {
        try_string((hb_str){key.p - 1, key.n + 2});
        walk(item);
    }
    while (type == JSON_ARRAY && json_next_item(&it, &item))
        walk(item);
}

static void walk_unchecked(hb_str text)
{
    struct buf b = BUF_INIT;
    struct json_iter it = json_iter(text);
    hb_str key, item;
    int64_t number;
    while (json_next_field(&it, &key, &item))
        json_key_eq(key, HB_STR("key"));
    it = json_iter(text);
    while (json_next_item(&it, &item))
        json_string(item, &b);
    json_string(text, &b);
    json_int(text, &number);
    buf_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str text = {(const char *)data, size};
    size_t at = 0;
    enum json_status status = json_check(text, DEPTH, &at);
    HOLDS(at <= size);
    HOLDS(status != JSON_OK || json_walkable(text));
    HOLDS(status != JSON_SYNTAX || !json_walkable(text));
    compare_with_jansson(text, status);
    walk_unchecked(text);
    if (status == JSON_OK) {
        while (size > 0 && strchr(" \t\r\n", *text.p)) {
            text.p++;
            size--;
        }
        while (size > 0 && strchr(" \t\r\n", text.p[size - 1]))
            size--;
        walk((hb_str){text.p, size});
    }
    return 0;
}
