/*
 * WebSocket frames: the same bytes in one piece and chopped give the same items, text is UTF-8, no
 * message passes the limit, a parser at rest holds no memory, and a compressed payload of any bytes
 * inflates within its limit or not at all.
 *
 * The first byte chooses the rules, the second how the bytes are chopped; the rest is the stream.
 */
#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "websocket/deflate.h"
#include "common/frame.h"
#include <stdlib.h>
#include <string.h>

static char scratch[300];
static struct deflater *deflater;

static struct frame_rules rules_of(uint8_t choice)
{
    return (struct frame_rules){
        .max_bytes = choice & 4 ? 100 : 70000,
        .compression = choice & 1,
        .text_only = choice & 2,
        .scratch = scratch,
        .scratch_size = choice & 8 ? sizeof(scratch) : FRAME_SCRATCH_MIN,
    };
}

static void check_inflate(hb_str payload)
{
    hb_str out;
    if (!deflater)
        deflater = deflate_create();
    HOLDS(deflater);
    if (inflate_message(deflater, payload, 5000, &out) == INFLATE_OK)
        HOLDS(out.n <= 5000);
    inflate_rest(deflater);
}

static void check(const struct frame_rules *rules, const struct frame_item *item)
{
    switch (item->kind) {
    case FRAME_MORE:
        break;
    case FRAME_TEXT:
    case FRAME_BINARY:
        HOLDS(item->payload.n <= rules->max_bytes);
        HOLDS(!item->compressed || rules->compression);
        HOLDS(item->kind == FRAME_TEXT || !rules->text_only);
        if (item->compressed)
            check_inflate(item->payload);
        else
            HOLDS(item->kind == FRAME_BINARY || utf8_valid(item->payload));
        break;
    case FRAME_CLOSE:
        HOLDS(item->code == CLOSE_NONE || frame_close_code_valid(item->code));
        HOLDS(utf8_valid(item->payload));
        /* fall through */
    case FRAME_PING:
    case FRAME_PONG:
        HOLDS(item->payload.n <= FRAME_CONTROL_MAX);
        break;
    case FRAME_FAULT:
        HOLDS(item->code == CLOSE_PROTOCOL || item->code == CLOSE_UNSUPPORTED ||
            item->code == CLOSE_INVALID || item->code == CLOSE_TOO_BIG);
        break;
    }
}

static void note(struct buf *log, const struct frame_item *item)
{
    if (item->kind == FRAME_MORE)
        return;
    buf_printf(log, "%d %d %u %zu ", (int)item->kind, item->compressed, item->code,
        item->payload.n);
    buf_str(log, item->payload);
}

/* All items that these bytes complete; returns how many bytes are used. */
static size_t read_piece(struct frame_parser *p, const struct frame_rules *rules, hb_str bytes,
    struct buf *log, bool *faulty)
{
    struct frame_item item;
    size_t used = 0;
    do {
        size_t step = frame_next(p, rules, bytes.p + used, bytes.n - used, &item);
        HOLDS(step <= bytes.n - used);
        used += step;
        check(rules, &item);
        note(log, &item);
    } while (item.kind != FRAME_MORE && item.kind != FRAME_FAULT);
    *faulty = item.kind == FRAME_FAULT;
    HOLDS(*faulty || p->opcode || !p->partial);
    return used;
}

/* Pieces of 1 to 16 bytes as `seed` has it; 0: all at once. */
static struct buf read_stream(const struct frame_rules *rules, hb_str stream, uint32_t seed)
{
    struct frame_parser p = {0};
    struct buf log = BUF_INIT;
    bool faulty = false;
    size_t from = 0, to = 0;
    while (to < stream.n && !faulty) {
        seed = seed * 1664525 + (seed ? 1013904223 : 0);
        size_t piece = seed ? 1 + (seed >> 28) : stream.n;
        to = piece < stream.n - to ? to + piece : stream.n;
        char *exact = malloc(to - from ? to - from : 1);
        HOLDS(exact);
        memcpy(exact, stream.p + from, to - from);
        from += read_piece(&p, rules, (hb_str){exact, to - from}, &log, &faulty);
        free(exact);
        HOLDS(faulty || to - from <= FRAME_CONTROL_MAX + 14); /* so little is left to the caller */
    }
    frame_finish(&p);
    return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct frame_rules rules = rules_of(data[0]);
    hb_str stream = {(const char *)data + 2, size - 2};
    struct buf whole = read_stream(&rules, stream, 0);
    struct buf chopped = read_stream(&rules, stream, data[1] + 1u);
    HOLDS(whole.n == chopped.n);
    HOLDS(whole.n == 0 || memcmp(whole.p, chopped.p, whole.n) == 0);
    buf_finish(&whole);
    buf_finish(&chopped);
    return 0;
}
