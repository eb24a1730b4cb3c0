/*
 * An answer of the webhook's backend: what is JSON is what the core takes for JSON, and whatever the
 * plugin makes of it lies within the body or its bounds.
 */
#include "../../plugins/webhook/answer.h"
#include "../../plugins/webhook/peek.h"
#include "base/json.h"
#include "fuzz.h"
#include <string.h>

static bool lies_in(hb_str part, hb_str whole)
{
    return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_answer(enum kind kind, int status, hb_str body)
{
    static struct answer a;
    if (!answer_read(kind, status, body, &a))
        return;
    HOLDS(a.verdict == HB_NEXT || a.verdict == HB_ALLOW || a.verdict == HB_DENY);
    HOLDS(lies_in(a.out.data, body) && lies_in(a.out.rights, body));
    HOLDS(!a.out.data.p || json_check(a.out.data, PEEK_DEPTH_MAX, NULL) == JSON_OK);
    HOLDS(!a.out.rights.p || json_type(a.out.rights) == JSON_OBJECT);
    HOLDS(a.out.user.n <= ANSWER_NAME_MAX && a.out.message.n <= ANSWER_TEXT_MAX);
    HOLDS(!a.out.user.p || (kind == KIND_CONNECT && a.verdict == HB_ALLOW && a.out.user.n > 0));
}

static void check_string(hb_str body)
{
    static char text[65536];
    struct buf wanted = BUF_INIT;
    hb_str got = peek_string(body, text, sizeof(text));
    if (got.p && json_string(body, &wanted))
        HOLDS(wanted.n == got.n && memcmp(wanted.p ? wanted.p : "", got.p, got.n) == 0);
    buf_finish(&wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 204, 401, 403, 404, 500, 0};
    if (!size)
        return 0;
    hb_str body = {(const char *)data + 1, size - 1};
    bool valid = peek_check(body);
    HOLDS(valid == (json_check(body, PEEK_DEPTH_MAX, NULL) == JSON_OK));
    if (valid && body.p[0] == '"' && body.p[body.n - 1] == '"')
        check_string(body);
    check_answer((enum kind)(data[0] % KIND_COUNT), statuses[data[0] / KIND_COUNT % 8], body);
    return 0;
}
