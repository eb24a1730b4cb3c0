#include "ws_client.h"

void ws_head(struct buf *b, unsigned first, uint64_t length, unsigned extended)
{
    buf_char(b, (char)first);
    buf_char(b, (char)(0x80 | (extended == 8 ? 127 : extended == 2 ? 126 : length)));
    for (unsigned i = extended; i > 0; i--)
        buf_char(b, (char)(length >> (8 * (i - 1))));
    buf_append(b, "\0\0\0\0", 4);
}

void ws_frame(struct buf *b, unsigned first, hb_str payload)
{
    const uint8_t mask[4] = {0x37, 0xfa, (uint8_t)(payload.n * 7 + 1), 0x3d};
    ws_head(b, first, payload.n, payload.n > 65535 ? 8 : payload.n > 125 ? 2 : 0);
    b->n -= sizeof(mask);
    buf_append(b, mask, sizeof(mask));
    for (size_t i = 0; i < payload.n; i++)
        buf_char(b, (char)((uint8_t)payload.p[i] ^ mask[i & 3]));
}
