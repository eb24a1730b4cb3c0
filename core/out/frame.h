/*
 * Frames: wire bytes made once and written to many. Worker-local, counted without atomics.
 * A frame may have slots: places where each session's own bytes go in.
 */
#ifndef OUT_FRAME_H
#define OUT_FRAME_H

#include "base/buf.h"
#include <hubbub/backend.h>

enum { FRAME_SLOTS_MAX = 4, FRAME_OVERHEAD = 32 /* counted against an outbox besides the bytes */ };

struct frame {
    uint32_t refs;
    uint32_t n;             /* bytes, slots not counted */
    uint32_t n_messages;    /* messages of a room inside; 0 for replies and the like */
    uint8_t n_slots;
    uint8_t slot[FRAME_SLOTS_MAX];     /* what `fill` is asked for */
    uint32_t slot_at[FRAME_SLOTS_MAX]; /* ascending offsets into bytes */
    hb_message *message;    /* shared; the position after this frame; NULL: moves none */
    uint64_t received_us;   /* of the first message in it; 0: none */
    char bytes[];
};

/* NULL when memory is out. One reference, the caller's. */
struct frame *frame_create(size_t n);
void frame_unref(struct frame *f); /* NULL is fine */

static inline void frame_ref(struct frame *f)
{
    f->refs++;
}

#endif
