/*
 * UTF-8: whole, in two pieces, and character by character give the same answer, which is also that
 * of a plain decoder; the JSON string made of any bytes is JSON.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

static bool continues(hb_str s, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        if (i >= s.n || ((unsigned char)s.p[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* RFC 3629 by decoding: shortest form, no surrogate, at most U+10FFFF. */
static bool valid_by_decoding(hb_str s)
{
    static const uint32_t LEAST[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < s.n;) {
        unsigned char lead = (unsigned char)s.p[i];
        size_t more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : 9;
        if (more == 9 || !continues(s, i + 1, more))
            return false;
        uint32_t c = more ? lead & (0x3fu >> more) : lead;
        for (size_t k = 1; k <= more; k++)
            c = c << 6 | ((unsigned char)s.p[i + k] & 0x3f);
        if (c < LEAST[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return false;
        i += more + 1;
    }
    return true;
}

static bool valid_by_characters(hb_str s)
{
    bool ok = true;
    while (s.n > 0) {
        int n = utf8_next(s);
        size_t width = (size_t)(n < 0 ? -n : n);
        HOLDS(width > 0 && width <= s.n && width <= 4);
        ok &= n > 0;
        s = (hb_str){s.p + width, s.n - width};
    }
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size ? data[0] % size : 0;
    hb_str s = {(const char *)data, size};
    bool valid = utf8_valid(s);
    uint32_t state = utf8_feed(UTF8_ACCEPT, (hb_str){s.p, cut});
    state = utf8_feed(state, (hb_str){s.p + cut, s.n - cut});
    HOLDS((state == UTF8_ACCEPT) == valid);
    HOLDS(valid_by_decoding(s) == valid);
    HOLDS(valid_by_characters(s) == valid);
    HOLDS(!utf8_name(s, 0, SIZE_MAX) || valid);
    struct buf quoted = BUF_INIT, back = BUF_INIT;
    buf_json_str(&quoted, s);
    HOLDS(json_check(buf_view(&quoted), 0, NULL) == JSON_OK);
    HOLDS(json_string(buf_view(&quoted), &back));
    HOLDS(!valid || back.n == s.n);
    buf_finish(&quoted);
    buf_finish(&back);
    return 0;
}
