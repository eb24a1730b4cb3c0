/*
 * permessage-deflate (RFC 7692) without context takeover on either side: each message stands alone,
 * so one pair of streams serves all connections of a worker and a compressed message is shared by
 * all who receive it. The streams (about 300 KB) are made at first use.
 *
 * One thread. Results lie in the deflater's own buffers, one for each direction, so that a message
 * may be compressed while an inflated one is being read: valid until the next call in the same
 * direction. The _rest functions say that a result is done with, and give back a large buffer.
 */
#ifndef WEBSOCKET_DEFLATE_H
#define WEBSOCKET_DEFLATE_H

#include <hubbub/types.h>

struct deflater; /* all of it; opaque because zlib.h is large */

struct deflater *deflate_create(void); /* NULL: out of memory */
void deflate_destroy(struct deflater *d);

/* Past this a message is sent as it is: compressing it would hold up all others of the worker. */
#define DEFLATE_INPUT_MAX (1u << 20)

/* False when the message is too large, would not shrink, or memory is short: send it plain. */
bool deflate_message(struct deflater *d, hb_str message, hb_str *out);
void deflate_rest(struct deflater *d);

enum inflate_result {
    INFLATE_OK,
    INFLATE_BAD,     /* not deflate, or cut off */
    INFLATE_TOO_BIG, /* more than max_bytes; found after producing that many */
    INFLATE_NO_MEMORY
};
enum inflate_result inflate_message(struct deflater *d, hb_str payload, size_t max_bytes,
    hb_str *out);
void inflate_rest(struct deflater *d);

#endif
