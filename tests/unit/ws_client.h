/* The client's side of RFC 6455 for tests: masked frames, well formed or not. */
#ifndef TESTS_UNIT_WS_CLIENT_H
#define TESTS_UNIT_WS_CLIENT_H

#include "base/buf.h"

/* Appends a frame with this first byte (flags and opcode); the mask is made of the payload's size. */
void ws_frame(struct buf *b, unsigned first, hb_str payload);
/* A head that announces `length` in `extended` (0, 2 or 8) bytes, with a mask of zeros. */
void ws_head(struct buf *b, unsigned first, uint64_t length, unsigned extended);

#endif
