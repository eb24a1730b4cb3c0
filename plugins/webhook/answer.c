#include "answer.h"
#include "peek.h"
#include <string.h>

enum { RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000 };

/* What the protocol has no code for is "forbidden". */
static hb_code read_code(hb_str value)
{
    char name[32];
    hb_str s = peek_string(value, name, sizeof(name));
    for (int i = HB_OK + 1; s.p && i < HB_CODE_COUNT; i++)
        if (strlen(hb_code_names[i]) == s.n && memcmp(hb_code_names[i], s.p, s.n) == 0)
            return (hb_code)i;
    return s.p ? HB_FORBIDDEN : HB_OK;
}

static void read_error(hb_str error, struct answer *a)
{
    int64_t retry_after;
    a->verdict = HB_DENY;
    hb_code code = read_code(peek_member(error, "code"));
    if (code != HB_OK)
        a->out.code = code;
    a->out.message = peek_string(peek_member(error, "message"), a->message, sizeof(a->message));
    if (peek_integer(peek_member(error, "retry_after"), &retry_after) && retry_after > 0)
        a->out.retry_after_ms = retry_after < RETRY_AFTER_MAX_MS ? retry_after : RETRY_AFTER_MAX_MS;
}

/* Not empty, and without control characters: C0, DEL, C1. */
static bool is_plain(hb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0xff;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0))
            return false;
    }
    return s.n > 0;
}

/* An optional string: false when it is there and nothing that can be used. */
static bool optional(hb_str value, char *buf, size_t size, hb_str *out)
{
    if (!value.p || peek_is_null(value))
        return true;
    *out = peek_string(value, buf, size);
    return out->p && is_plain(*out);
}

/* An optional time in seconds, up to the year 9999: past it it is a mistake, such as milliseconds. */
static bool optional_time(hb_str value, int64_t *out)
{
    if (!value.p || peek_is_null(value))
        return true;
    return peek_integer(value, out) && *out >= 0 && *out <= HB_SECONDS_MAX;
}

static bool read_who(hb_str body, struct answer *a)
{
    hb_str rights = peek_member(body, "rights");
    if (!optional(peek_member(body, "user"), a->user, sizeof(a->user), &a->out.user) ||
        !optional(
            peek_member(body, "token_id"), a->token_id, sizeof(a->token_id), &a->out.token_id))
        return false;
    if (a->out.user.n && a->out.user.p[0] == '@') /* rooms that begin so are users' */
        return false;
    if (!optional_time(peek_member(body, "expires_at"), &a->out.expires_at) ||
        !optional_time(peek_member(body, "issued_at"), &a->out.issued_at))
        return false;
    if (!rights.p || peek_is_null(rights))
        return true;
    a->out.rights = rights;
    return peek_is_object(rights) && rights.n <= ANSWER_RIGHTS_MAX;
}

/* With a verdict, or without one where there are data. */
static bool read_body(enum kind kind, hb_str body, struct answer *a)
{
    hb_str error = peek_member(body, "error"), allow = peek_member(body, "allow");
    hb_str data = peek_member(body, "data");
    if (allow.p && peek_bool(allow) < 0 && !peek_is_null(allow))
        return false;
    if (peek_bool(allow) == 0 || peek_is_object(error)) {
        read_error(error, a);
        return true;
    }
    if (peek_bool(allow) == 1)
        a->verdict = HB_ALLOW;
    if (kind == KIND_CALL && data.p)
        a->verdict = HB_ALLOW;
    if (kind == KIND_CALL || kind == KIND_PUBLISH)
        a->out.data = data;
    return kind != KIND_CONNECT || a->verdict != HB_ALLOW || read_who(body, a);
}

static bool is_blank(hb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t\r\n", s.p[i]) || !s.p[i])
            return false;
    return true;
}

bool answer_read(enum kind kind, int status, hb_str body, struct answer *a)
{
    bool json = !is_blank(body);
    a->verdict = HB_NEXT;
    a->out = (hb_outcome){.size = sizeof(a->out)};
    if (status == 204 || (status == 404 && kind == KIND_CALL))
        return true;
    if (status != 200 && status != 401 && status != 403)
        return false;
    if (json && (!peek_check(body) || !peek_is_object(body)))
        json = false;
    if (status == 200)
        return is_blank(body) || (json && read_body(kind, body, a));
    a->out.code = status == 401 ? HB_UNAUTHORIZED : HB_FORBIDDEN;
    read_error(json ? peek_member(body, "error") : (hb_str){NULL, 0}, a);
    return true;
}
