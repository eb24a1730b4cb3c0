#include "frame.h"
#include "utf8.h"
#include <stdlib.h>
#include <string.h>

#define MASKED 0x80u
#define RSV23 0x30u

struct head {
    unsigned first; /* flags and opcode */
    uint64_t length;
    uint32_t mask;
    size_t size;
};

static unsigned opcode_of(unsigned first)
{
    return first & 0x0f;
}

static bool is_control(unsigned opcode)
{
    return opcode >= FRAME_OP_CLOSE;
}

static void fault(struct frame_item *item, unsigned code)
{
    *item = (struct frame_item){.kind = FRAME_FAULT, .code = (uint16_t)code};
}

void frame_finish(struct frame_parser *p)
{
    free(p->partial);
    *p = (struct frame_parser){0};
}

/* ---- unmasking ---- */

static uint32_t turn(uint32_t mask, size_t bytes)
{
    uint8_t b[4], turned[4];
    memcpy(b, &mask, 4);
    for (size_t i = 0; i < 4; i++)
        turned[i] = b[(i + bytes) & 3];
    memcpy(&mask, turned, 4);
    return mask;
}

/* The mask is held as it came, in the wire's byte order: words need no swapping. */
static void unmask(char *to, const char *from, size_t n, uint32_t mask)
{
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    size_t i = 0;
    for (; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(&word, from + i, sizeof(word));
        word ^= wide;
        memcpy(to + i, &word, sizeof(word));
    }
    uint8_t rest[4];
    memcpy(rest, &mask, 4);
    for (; i < n; i++)
        to[i] = (char)((uint8_t)from[i] ^ rest[i & 3]);
}

/* ---- heads ---- */

/* What is wrong with the first byte, given the message under way: a close code, or 0. */
static unsigned check_first(const struct frame_parser *p, const struct frame_rules *rules,
    unsigned first)
{
    unsigned opcode = opcode_of(first);
    bool starts = opcode == FRAME_OP_TEXT || opcode == FRAME_OP_BINARY;
    bool control = opcode >= FRAME_OP_CLOSE && opcode <= FRAME_OP_PONG;
    if (first & RSV23 || !(starts || control || opcode == FRAME_OP_CONTINUATION))
        return CLOSE_PROTOCOL;
    if (first & FRAME_RSV1 && !(starts && rules->compression))
        return CLOSE_PROTOCOL;
    if (control)
        return first & FRAME_FIN ? 0 : CLOSE_PROTOCOL;
    return starts == (p->opcode == 0) ? 0 : CLOSE_PROTOCOL;
}

/* What is wrong with a frame of this length, known before its mask came. */
static unsigned check_length(const struct frame_parser *p, const struct frame_rules *rules,
    const struct head *h)
{
    if (is_control(opcode_of(h->first)))
        return 0;
    if (h->length > rules->max_bytes || p->partial_n > rules->max_bytes - h->length)
        return CLOSE_TOO_BIG;
    if (rules->text_only && opcode_of(h->first) == FRAME_OP_BINARY)
        return CLOSE_UNSUPPORTED;
    return 0;
}

static uint64_t big_endian(const char *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

/* Reads the head as far as it is there. Returns a close code, or 0; h->size stays 0 until whole. */
static unsigned read_head(const struct frame_parser *p, const struct frame_rules *rules,
    const char *bytes, size_t n, struct head *h)
{
    if (n < 1)
        return 0;
    h->first = (uint8_t)bytes[0];
    unsigned code = check_first(p, rules, h->first);
    if (code || n < 2)
        return code;
    unsigned second = (uint8_t)bytes[1], length = second & 0x7f;
    if (!(second & MASKED) || (is_control(opcode_of(h->first)) && length > FRAME_CONTROL_MAX))
        return CLOSE_PROTOCOL;
    size_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (n < 2 + extended)
        return 0;
    h->length = extended ? big_endian(bytes + 2, extended) : length;
    /* Section 5.2: the shortest encoding; the most significant bit must be 0. */
    if ((extended == 2 && h->length < 126) || (extended == 8 && h->length <= UINT16_MAX) ||
        h->length >> 63)
        return CLOSE_PROTOCOL;
    code = check_length(p, rules, h);
    if (code || n < 2 + extended + 4)
        return code;
    memcpy(&h->mask, bytes + 2 + extended, 4);
    h->size = 2 + extended + 4;
    return 0;
}

/* ---- control frames ---- */

bool frame_close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
        (code >= 3000 && code <= 4999);
}

static void read_close(struct frame_item *item, hb_str payload)
{
    if (payload.n == 0) {
        *item = (struct frame_item){.kind = FRAME_CLOSE, .payload = payload, .code = CLOSE_NONE};
        return;
    }
    if (payload.n == 1) {
        fault(item, CLOSE_PROTOCOL);
        return;
    }
    unsigned code = (unsigned)big_endian(payload.p, 2);
    hb_str reason = {payload.p + 2, payload.n - 2};
    if (!frame_close_code_valid(code))
        fault(item, CLOSE_PROTOCOL);
    else if (utf8_check(UTF8_START, reason.p, reason.n) != UTF8_START)
        fault(item, CLOSE_INVALID);
    else
        *item = (struct frame_item){.kind = FRAME_CLOSE, .payload = reason, .code = (uint16_t)code};
}

/* A control frame is used whole or not at all: at most 131 bytes wait in the caller's hands. */
static size_t control(const struct frame_rules *rules, const struct head *h, const char *bytes,
    size_t n, struct frame_item *item)
{
    if (n - h->size < h->length)
        return 0;
    unmask(rules->scratch, bytes + h->size, h->length, h->mask);
    hb_str payload = {rules->scratch, h->length};
    if (opcode_of(h->first) == FRAME_OP_CLOSE)
        read_close(item, payload);
    else
        *item = (struct frame_item){.payload = payload,
            .kind = opcode_of(h->first) == FRAME_OP_PING ? FRAME_PING : FRAME_PONG};
    return h->size + h->length;
}

/* ---- messages ---- */

/* Checks text as it comes; false when it cannot be UTF-8 any more. */
static bool check_text(struct frame_parser *p, const char *bytes, size_t n, bool last)
{
    if (p->opcode != FRAME_OP_TEXT || p->compressed)
        return true;
    p->utf8 = utf8_check(p->utf8, bytes, n);
    return p->utf8 != UTF8_BAD && (!last || p->utf8 == UTF8_START);
}

static void hand_out(struct frame_parser *p, hb_str payload, struct frame_item *item)
{
    *item = (struct frame_item){
        .kind = p->opcode == FRAME_OP_TEXT ? FRAME_TEXT : FRAME_BINARY,
        .payload = payload,
        .compressed = p->compressed,
    };
    p->opcode = 0;
    p->in_payload = p->fin = p->compressed = false;
    p->utf8 = UTF8_START;
    p->handed_out = true;
}

static bool reserve(struct frame_parser *p, const struct frame_rules *rules, size_t n)
{
    size_t need = p->partial_n + n;
    if (need <= p->partial_cap)
        return true;
    size_t most = p->fin ? (size_t)p->partial_n + p->left : rules->max_bytes;
    size_t cap = (size_t)p->partial_cap * 2 > 512 ? (size_t)p->partial_cap * 2 : 512;
    cap = cap < need ? need : cap;
    cap = cap > most ? most : cap;
    cap = cap < need ? need : cap; /* the limit was lowered under a message that had begun */
    char *grown = realloc(p->partial, cap);
    if (!grown)
        return false;
    p->partial = grown;
    p->partial_cap = (uint32_t)cap;
    return true;
}

/* Takes what is there of the current frame's payload into the buffer. */
static size_t collect(struct frame_parser *p, const struct frame_rules *rules, const char *bytes,
    size_t n, struct frame_item *item)
{
    size_t take = n < p->left ? n : p->left;
    if (take > 0 && !reserve(p, rules, take)) {
        fault(item, CLOSE_INTERNAL);
        return 0;
    }
    char *to = take > 0 ? p->partial + p->partial_n : NULL;
    unmask(to, bytes, take, p->mask);
    p->mask = turn(p->mask, take);
    bool last = p->fin && take == p->left;
    if (!check_text(p, to, take, last)) {
        fault(item, CLOSE_INVALID);
        return take;
    }
    p->partial_n += (uint32_t)take;
    p->left -= (uint32_t)take;
    p->in_payload = p->left > 0;
    if (last)
        hand_out(p, (hb_str){p->partial ? p->partial : "", p->partial_n}, item);
    return take;
}

/* A message in one frame that is all there: no buffer. */
static size_t whole(struct frame_parser *p, const struct frame_rules *rules, const struct head *h,
    const char *bytes, struct frame_item *item)
{
    unmask(rules->scratch, bytes + h->size, h->length, h->mask);
    if (!check_text(p, rules->scratch, h->length, true))
        fault(item, CLOSE_INVALID);
    else
        hand_out(p, (hb_str){rules->scratch, h->length}, item);
    return h->size + h->length;
}

static void begin(struct frame_parser *p, const struct head *h)
{
    if (opcode_of(h->first) != FRAME_OP_CONTINUATION) {
        p->opcode = (uint8_t)opcode_of(h->first);
        p->compressed = h->first & FRAME_RSV1;
    }
    p->fin = h->first & FRAME_FIN;
    p->left = (uint32_t)h->length;
    p->mask = h->mask;
    p->in_payload = true;
}

static void drop_handed_out(struct frame_parser *p)
{
    free(p->partial);
    p->partial = NULL;
    p->partial_n = p->partial_cap = 0;
    p->handed_out = false;
}

static size_t start_frame(struct frame_parser *p, const struct frame_rules *rules,
    const char *bytes, size_t n, struct frame_item *item)
{
    struct head h = {0};
    unsigned code = read_head(p, rules, bytes, n, &h);
    if (code) {
        fault(item, code);
        return 0;
    }
    if (h.size == 0)
        return 0;
    if (is_control(opcode_of(h.first)))
        return control(rules, &h, bytes, n, item);
    bool alone = p->opcode == 0 && h.first & FRAME_FIN;
    begin(p, &h);
    if (alone && h.length <= n - h.size && h.length <= rules->scratch_size)
        return whole(p, rules, &h, bytes, item);
    return h.size + collect(p, rules, bytes + h.size, n - h.size, item);
}

size_t frame_next(struct frame_parser *p, const struct frame_rules *rules, const char *bytes,
    size_t n, struct frame_item *item)
{
    *item = (struct frame_item){.kind = FRAME_MORE};
    if (p->handed_out)
        drop_handed_out(p);
    size_t used = 0;
    /* Frames that complete no message (fragments, empty ones too) are passed over here. */
    for (size_t step = 1; step > 0 && item->kind == FRAME_MORE && used < n; used += step)
        step = p->in_payload ? collect(p, rules, bytes + used, n - used, item)
                             : start_frame(p, rules, bytes + used, n - used, item);
    return used;
}

/* ---- writing ---- */

size_t frame_head(char out[FRAME_HEAD_MAX], unsigned first, uint64_t payload_bytes)
{
    size_t extended = payload_bytes > UINT16_MAX ? 8 : payload_bytes > 125 ? 2 : 0;
    out[0] = (char)first;
    out[1] = (char)(extended == 8 ? 127 : extended == 2 ? 126 : payload_bytes);
    for (size_t i = 0; i < extended; i++)
        out[2 + i] = (char)(payload_bytes >> (8 * (extended - 1 - i)));
    return 2 + extended;
}

static hb_str cut(hb_str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((uint8_t)s.p[max] & 0xc0) == 0x80)
        max--;
    return (hb_str){s.p, max};
}

size_t frame_close(char out[FRAME_CLOSE_MAX], unsigned code, hb_str reason)
{
    if (code == CLOSE_NONE)
        return frame_head(out, FRAME_FIN | FRAME_OP_CLOSE, 0);
    reason = cut(reason, FRAME_CONTROL_MAX - 2);
    frame_head(out, FRAME_FIN | FRAME_OP_CLOSE, 2 + reason.n);
    out[2] = (char)(code >> 8);
    out[3] = (char)code;
    if (reason.n > 0)
        memcpy(out + 4, reason.p, reason.n);
    return 4 + reason.n;
}
