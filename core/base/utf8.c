#include "base/utf8.h"
#include <string.h>

/*
 * The well-formed sequences of RFC 3629 section 4 as an automaton: bytes fall into 12 classes, a
 * state is the index of its row.
 */
enum class {
    ASCII,
    CONT_LOW,   /* 80-8F */
    LEAD2,      /* C2-DF */
    LEAD3,      /* E1-EC, EE, EF */
    LEAD_ED,    /* second byte below A0, or it were a surrogate */
    LEAD_F4,    /* second byte below 90, or it were past U+10FFFF */
    LEAD4,      /* F1-F3 */
    CONT_HIGH,  /* A0-BF */
    NEVER,      /* C0, C1, F5-FF */
    CONT_MID,   /* 90-9F */
    LEAD_E0,    /* second byte from A0, or it were overlong */
    LEAD_F0,    /* second byte from 90, or it were overlong */
    CLASSES,
};

enum state {
    ACCEPT = UTF8_ACCEPT,
    REJECT = UTF8_REJECT,
    LAST1 = 24,
    LAST2 = 36,
    AFTER_E0 = 48,
    AFTER_ED = 60,
    AFTER_F0 = 72,
    LAST3 = 84,
    AFTER_F4 = 96,
    STATES_END = 108,
};

static const uint8_t CLASS[256] = {
    [0x00 ... 0x7f] = ASCII,
    [0x80 ... 0x8f] = CONT_LOW,
    [0x90 ... 0x9f] = CONT_MID,
    [0xa0 ... 0xbf] = CONT_HIGH,
    [0xc0 ... 0xc1] = NEVER,
    [0xc2 ... 0xdf] = LEAD2,
    [0xe0] = LEAD_E0,
    [0xe1 ... 0xec] = LEAD3,
    [0xed] = LEAD_ED,
    [0xee ... 0xef] = LEAD3,
    [0xf0] = LEAD_F0,
    [0xf1 ... 0xf3] = LEAD4,
    [0xf4] = LEAD_F4,
    [0xf5 ... 0xff] = NEVER,
};

/* Columns in the order of enum class. */
#define R REJECT
static const uint8_t NEXT[STATES_END] = {
    ACCEPT, R, LAST1, LAST2, AFTER_ED, AFTER_F4, LAST3, R, R, R, AFTER_E0, AFTER_F0,
    R, R, R, R, R, R, R, R, R, R, R, R,
    R, ACCEPT, R, R, R, R, R, ACCEPT, R, ACCEPT, R, R, /* LAST1 */
    R, LAST1, R, R, R, R, R, LAST1, R, LAST1, R, R,    /* LAST2 */
    R, R, R, R, R, R, R, LAST1, R, R, R, R,            /* AFTER_E0 */
    R, LAST1, R, R, R, R, R, R, R, LAST1, R, R,        /* AFTER_ED */
    R, R, R, R, R, R, R, LAST2, R, LAST2, R, R,        /* AFTER_F0 */
    R, LAST2, R, R, R, R, R, LAST2, R, LAST2, R, R,    /* LAST3 */
    R, LAST2, R, R, R, R, R, R, R, R, R, R,            /* AFTER_F4 */
};
#undef R

static inline uint32_t step(uint32_t state, char byte)
{
    return NEXT[state + CLASS[(unsigned char)byte]];
}

/* How many of the n bytes at p are ASCII before the first that is not, rounded down to eights. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t word; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    return i;
}

uint32_t utf8_feed(uint32_t state, hb_str piece)
{
    size_t i = 0;
    while (i < piece.n) {
        if (state == UTF8_ACCEPT) {
            i += ascii_run(piece.p + i, piece.n - i);
            if (i == piece.n)
                break;
        } else if (state == UTF8_REJECT) {
            break;
        }
        state = step(state, piece.p[i++]);
    }
    return state;
}

bool utf8_valid(hb_str s)
{
    return utf8_feed(UTF8_ACCEPT, s) == UTF8_ACCEPT;
}

int utf8_next(hb_str s)
{
    uint32_t state = UTF8_ACCEPT;
    int n = 0;
    while ((size_t)n < s.n) {
        state = step(state, s.p[n]);
        if (state == UTF8_REJECT)
            break;
        n++;
        if (state == UTF8_ACCEPT)
            return n;
    }
    return n > 0 ? -n : -1;
}

static bool has_control(hb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0)
            return true; /* U+0080-009F */
    }
    return false;
}

bool utf8_name(hb_str s, size_t min, size_t max)
{
    return s.n >= min && s.n <= max && !has_control(s) && utf8_valid(s);
}
