/*
 * Frames of RFC 6455, in both directions, as pure functions over bytes.
 *
 * Reading is incremental: frame_next takes bytes as they come and gives one item at a time. A
 * parser at rest holds no memory. A message that lies complete in the bytes handed in is unmasked
 * into the caller's scratch space; only one that arrives in pieces gets a buffer, which grows with
 * what has arrived (never with what was announced) and goes with its message.
 *
 * Every fault is found at the first byte that shows it: a length over the limit at the frame's
 * head, broken UTF-8 within an unfinished frame.
 */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include <hubbub/types.h>

enum {
    CLOSE_NORMAL = 1000,
    CLOSE_PROTOCOL = 1002,
    CLOSE_UNSUPPORTED = 1003,
    CLOSE_NONE = 1005, /* never on the wire: a close frame without a code */
    CLOSE_INVALID = 1007,
    CLOSE_TOO_BIG = 1009,
    CLOSE_INTERNAL = 1011
};

enum frame_opcode {
    FRAME_OP_CONTINUATION = 0,
    FRAME_OP_TEXT = 1,
    FRAME_OP_BINARY = 2,
    FRAME_OP_CLOSE = 8,
    FRAME_OP_PING = 9,
    FRAME_OP_PONG = 10
};

#define FRAME_FIN 0x80u
#define FRAME_RSV1 0x40u /* on a message's first frame: it is compressed (RFC 7692) */

#define FRAME_HEAD_MAX 10u
#define FRAME_CONTROL_MAX 125u /* payload of a control frame, section 5.5 */
#define FRAME_SCRATCH_MIN FRAME_CONTROL_MAX

/* What this connection agreed to, and where to work. Scratch may be shared by connections. */
struct frame_rules {
    size_t max_bytes;  /* of one message, as it arrives; at most UINT32_MAX */
    bool compression;  /* RSV1 may mark a message */
    bool text_only;    /* a binary message is a fault (1003), found at its head */
    char *scratch;
    size_t scratch_size; /* at least FRAME_SCRATCH_MIN */
};

struct frame_parser {
    char *partial; /* a message in pieces, or the one handed out last; owned */
    uint32_t partial_n, partial_cap;
    uint32_t left;    /* bytes of the current frame's payload still to come */
    uint32_t mask;    /* as on the wire, turned so that the next byte meets its first byte */
    uint8_t opcode;   /* of the message under way; 0: none */
    uint8_t utf8;
    bool in_payload;
    bool fin;         /* the current frame is its message's last */
    bool compressed;
    bool handed_out;  /* `partial` is free to go at the next call */
};

enum frame_kind {
    FRAME_MORE, /* nothing whole: call again with the bytes not used and what follows them */
    FRAME_TEXT, /* valid UTF-8, unless `compressed` */
    FRAME_BINARY,
    FRAME_PING,
    FRAME_PONG,
    FRAME_CLOSE, /* code (CLOSE_NONE if none was sent) and payload: the reason, valid UTF-8 */
    FRAME_FAULT  /* code: what to close with. The parser is not to be called again. */
};

struct frame_item {
    enum frame_kind kind;
    hb_str payload; /* in scratch or the parser's buffer: valid until the next call for either */
    bool compressed;
    uint16_t code;
};

/* A parser at rest is all zero. frame_finish frees what it holds and leaves it at rest. */
void frame_finish(struct frame_parser *p);

/* Reads on; returns how many of the bytes were used. Call until the item is FRAME_MORE. */
size_t frame_next(struct frame_parser *p, const struct frame_rules *rules, const char *bytes,
    size_t n, struct frame_item *item);

/* May this code stand in a close frame? (section 7.4 and IANA's registry) */
bool frame_close_code_valid(unsigned code);

/* The head of an unmasked frame; `first` is opcode and flags. Returns its length. */
size_t frame_head(char out[FRAME_HEAD_MAX], unsigned first, uint64_t payload_bytes);

/* A whole close frame; without payload if the code is CLOSE_NONE; a reason too long is cut at a
 * character. Returns its length. */
#define FRAME_CLOSE_MAX (2 + FRAME_CONTROL_MAX)
size_t frame_close(char out[FRAME_CLOSE_MAX], unsigned code, hb_str reason);

#endif
