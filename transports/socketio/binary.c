#include "binary.h"
#include "jtext.h"
#include <string.h>

/* The end of the string that begins at p. */
static const char *behind_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *behind_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* ---- placeholders to bytes ---- */

static bool small_number(hb_str value, size_t *out)
{
    *out = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9' || i > 3)
            return false;
        *out = *out * 10 + (size_t)(value.p[i] - '0');
    }
    return value.n > 0;
}

/* A field whose value is no string, array or object, so that nothing nested is walked for it. */
static bool plain_field(const char **p, const char *end, hb_str *key, hb_str *value)
{
    const char *at = behind_space(*p, end);
    if (at == end || *at != '"')
        return false;
    const char *after = behind_string(at);
    *key = (hb_str){at + 1, (size_t)(after - at) - 2};
    at = behind_space(behind_space(after, end) + 1, end);
    for (after = at;
         after < end && (*after == '-' || *after == '+' || *after == '.' ||
                            (*after >= '0' && *after <= '9') || (*after >= 'a' && *after <= 'z'));)
        after++;
    *value = (hb_str){at, (size_t)(after - at)};
    *p = behind_space(after, end);
    return value->n > 0 && *p < end;
}

/* Is the object at p a placeholder: `_placeholder` and `num`, in any order? Then *after is behind
 * it. */
static bool placeholder_at(const char *p, const char *end, hb_str *num, const char **after)
{
    hb_str key, value;
    bool marked = false;
    *num = (hb_str){NULL, 0};
    p++;
    for (int i = 0; i < 2 && plain_field(&p, end, &key, &value); i++) {
        if (jtext_key_is(key, HB_STR("_placeholder")))
            marked = str_same(value, HB_STR("true"));
        else if (jtext_key_is(key, HB_STR("num")))
            *num = value;
        if (i == 0 && *p++ != ',')
            return false;
    }
    *after = p + 1;
    return marked && num->p && p < end && *p == '}';
}

static void put_binary(struct bytes *out, hb_str base64)
{
    BYTES_LIT(out, "{\"$binary\":\"");
    bytes_str(out, base64);
    BYTES_LIT(out, "\"}");
}

bool binary_join(hb_str json, const hb_str *attachments, size_t n, struct bytes *out)
{
    const char *p = json.p, *end = json.p + json.n, *from = p, *after;
    hb_str num;
    size_t index;
    while (p < end) {
        if (*p == '"') {
            p = behind_string(p);
        } else if (*p == '{' && placeholder_at(p, end, &num, &after)) {
            if (!small_number(num, &index) || index >= n)
                return false;
            bytes_append(out, from, (size_t)(p - from));
            put_binary(out, attachments[index]);
            p = from = after;
        } else {
            p++;
        }
    }
    bytes_append(out, from, (size_t)(end - from));
    return true;
}

/* ---- bytes to placeholders ---- */

/* Padded base64 as it stands in JSON, where a slash may be written \/. */
static bool is_base64(hb_str text)
{
    size_t n = 0, pads = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], low = (char)(c | 0x20);
        if (c == '\\' && i + 1 < text.n && text.p[i + 1] == '/')
            continue;
        bool digit = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        pads += c == '=';
        if ((!digit && c != '=') || (digit && pads > 0) || pads > 2)
            return false;
        n++;
    }
    return n % 4 == 0;
}

/* Is the object at p {"$binary":"<base64>"} and nothing else? */
static bool bytes_at(const char *p, const char *end, hb_str *base64, const char **after)
{
    const char *quote = behind_space(p + 1, end);
    if (quote == end || end - quote < 12 || memcmp(quote, "\"$binary\"", 9) != 0)
        return false;
    const char *value = behind_space(behind_space(quote + 9, end) + 1, end);
    if (*value != '"')
        return false;
    const char *behind = behind_string(value);
    *base64 = (hb_str){value + 1, (size_t)(behind - value) - 2};
    *after = behind_space(behind, end) + 1;
    return (*after)[-1] == '}' && is_base64(*base64);
}

/* JSON may have a backslash before a slash. */
static void put_unescaped(struct bytes *out, hb_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        size_t from = i;
        while (i < text.n && text.p[i] != '\\')
            i++;
        bytes_append(out, text.p + from, i - from);
    }
}

void binary_bytes(hb_str part, struct bytes *out)
{
    struct bytes plain = BYTES_INIT;
    if (memchr(part.p, '\\', part.n)) {
        put_unescaped(&plain, part);
        part = bytes_view(&plain);
    }
    out->failed |= !bytes_unbase64(out, part) || plain.failed;
    bytes_finish(&plain);
}

static void put_placeholder(struct bytes *out, size_t num)
{
    BYTES_LIT(out, "{\"_placeholder\":true,\"num\":");
    bytes_u64(out, num);
    bytes_char(out, '}');
}

/* A key that clients take for a placeholder's. */
static bool is_placeholder_key(const char *p, const char *after, const char *end)
{
    hb_str raw = {p + 1, (size_t)(after - p) - 2};
    const char *colon = behind_space(after, end);
    return colon < end && *colon == ':' && jtext_key_is(raw, HB_STR("_placeholder"));
}

void binary_split(hb_str json, struct bytes *out, struct binary_parts *parts)
{
    const char *p = json.p, *end = json.p + json.n, *from = p, *after;
    size_t start = out->n;
    hb_str base64;
    parts->n = 0;
    if (!memmem(json.p, json.n, "\"$binary\"", 9))
        return;
    while (p < end) {
        if (*p == '"') {
            after = behind_string(p);
            if (is_placeholder_key(p, after, end)) {
                parts->n = 0;
                break;
            }
            p = after;
        } else if (*p == '{' && parts->n < PACKET_ATTACHMENTS_MAX &&
                   bytes_at(p, end, &base64, &after)) {
            bytes_append(out, from, (size_t)(p - from));
            put_placeholder(out, parts->n);
            parts->base64[parts->n++] = base64;
            p = from = after;
        } else {
            p++;
        }
    }
    bytes_append(out, from, parts->n > 0 ? (size_t)(end - from) : 0);
    if (parts->n == 0 || out->failed) {
        out->n = start < out->n ? start : out->n;
        parts->n = 0;
    }
}
