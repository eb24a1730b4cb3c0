#include "utf8.h"
#include <string.h>

/* Within a character; the names say what may come next. */
enum {
    LAST_1 = 1, /* 80..BF, then done */
    LAST_2,     /* 80..BF, then LAST_1 */
    LAST_3,     /* 80..BF, then LAST_2 */
    AFTER_E0,   /* A0..BF: no overlong form, then LAST_1 */
    AFTER_ED,   /* 80..9F: no surrogate, then LAST_1 */
    AFTER_F0,   /* 90..BF: no overlong form, then LAST_2 */
    AFTER_F4    /* 80..8F: nothing past U+10FFFF, then LAST_2 */
};

static uint8_t lead(uint8_t c)
{
    if (c < 0x80)
        return UTF8_START;
    if (c < 0xc2 || c > 0xf4)
        return UTF8_BAD;
    if (c < 0xe0)
        return LAST_1;
    if (c < 0xf0)
        return c == 0xe0 ? AFTER_E0 : c == 0xed ? AFTER_ED : LAST_2;
    return c == 0xf0 ? AFTER_F0 : c == 0xf4 ? AFTER_F4 : LAST_3;
}

static uint8_t follow(uint8_t state, uint8_t c)
{
    static const struct {
        uint8_t low, high, next;
    } rule[] = {
        [LAST_1] = {0x80, 0xbf, UTF8_START}, [LAST_2] = {0x80, 0xbf, LAST_1},
        [LAST_3] = {0x80, 0xbf, LAST_2},     [AFTER_E0] = {0xa0, 0xbf, LAST_1},
        [AFTER_ED] = {0x80, 0x9f, LAST_1},   [AFTER_F0] = {0x90, 0xbf, LAST_2},
        [AFTER_F4] = {0x80, 0x8f, LAST_2},
    };
    return c >= rule[state].low && c <= rule[state].high ? rule[state].next : UTF8_BAD;
}

static size_t ascii_words(const char *bytes, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

uint8_t utf8_check(uint8_t state, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && state != UTF8_BAD; i++) {
        if (state == UTF8_START) {
            i += ascii_words(bytes + i, n - i);
            if (i == n)
                break;
            state = lead((uint8_t)bytes[i]);
        } else {
            state = follow(state, (uint8_t)bytes[i]);
        }
    }
    return state;
}
