#include "deflate.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BUFFER_KEPT (64u << 10)
#define RAW_WINDOW (-15) /* raw deflate, the full window */

/* What a sync flush ends with: the sender strips it, the receiver appends it (sections 7.2.1-2). */
static const char tail[4] = {0x00, 0x00, '\xff', '\xff'};

struct buffer {
    char *p;
    size_t cap;
};

struct deflater {
    z_stream packer, unpacker;
    bool packs, unpacks; /* the stream was made */
    struct buffer packed, unpacked;
};

struct deflater *deflate_create(void)
{
    return calloc(1, sizeof(struct deflater));
}

void deflate_destroy(struct deflater *d)
{
    if (!d)
        return;
    if (d->packs)
        deflateEnd(&d->packer);
    if (d->unpacks)
        inflateEnd(&d->unpacker);
    free(d->packed.p);
    free(d->unpacked.p);
    free(d);
}

static bool reserve(struct buffer *b, size_t cap)
{
    if (cap <= b->cap)
        return true;
    char *grown = realloc(b->p, cap);
    if (!grown)
        return false;
    *b = (struct buffer){grown, cap};
    return true;
}

static void trim(struct buffer *b)
{
    if (b->cap <= BUFFER_KEPT)
        return;
    free(b->p);
    *b = (struct buffer){0};
}

void deflate_rest(struct deflater *d)
{
    trim(&d->packed);
}

void inflate_rest(struct deflater *d)
{
    trim(&d->unpacked);
}

/* zlib's input is not const, though it is never written to. */
static void set_input(z_stream *z, const char *p, size_t n)
{
    z->next_in = (Bytef *)(uintptr_t)p;
    z->avail_in = (uInt)n;
}

static bool packer_ready(struct deflater *d)
{
    if (d->packs)
        return deflateReset(&d->packer) == Z_OK;
    d->packs = deflateInit2(&d->packer, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW, 8,
                   Z_DEFAULT_STRATEGY) == Z_OK;
    return d->packs;
}

bool deflate_message(struct deflater *d, hb_str message, hb_str *out)
{
    if (message.n > DEFLATE_INPUT_MAX || !packer_ready(d) ||
        !reserve(&d->packed, message.n + sizeof(tail)))
        return false;
    z_stream *z = &d->packer;
    set_input(z, message.p ? message.p : "", message.n);
    z->next_out = (Bytef *)d->packed.p;
    z->avail_out = (uInt)(message.n + sizeof(tail));
    /* Room left over means that the flush is complete. */
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 || z->avail_out == 0)
        return false;
    size_t n = (size_t)((char *)z->next_out - d->packed.p);
    if (n < sizeof(tail) || memcmp(d->packed.p + n - sizeof(tail), tail, sizeof(tail)) != 0)
        return false;
    *out = (hb_str){d->packed.p, n - sizeof(tail)};
    return true;
}

static bool unpacker_ready(struct deflater *d)
{
    if (d->unpacks)
        return inflateReset(&d->unpacker) == Z_OK;
    d->unpacks = inflateInit2(&d->unpacker, RAW_WINDOW) == Z_OK;
    return d->unpacks;
}

/* One byte more than allowed is asked for, so that too much shows. */
static bool make_room(struct buffer *b, size_t used, size_t max_bytes)
{
    if (used < b->cap)
        return true;
    size_t cap = b->cap ? b->cap * 2 : 4096;
    return reserve(b, cap > max_bytes + 1 ? max_bytes + 1 : cap);
}

/* Inflates one piece of input behind the `*used` bytes that are there. */
static enum inflate_result inflate_piece(struct deflater *d, size_t max_bytes, size_t *used,
    bool *ended)
{
    z_stream *z = &d->unpacker;
    int status;
    do {
        if (!make_room(&d->unpacked, *used, max_bytes))
            return INFLATE_NO_MEMORY;
        z->next_out = (Bytef *)d->unpacked.p + *used;
        z->avail_out = (uInt)(d->unpacked.cap - *used);
        *ended = false;
        status = inflate(z, Z_SYNC_FLUSH);
        *used = (size_t)((char *)z->next_out - d->unpacked.p);
        if (*used > max_bytes)
            return INFLATE_TOO_BIG;
        if (status == Z_STREAM_END) {
            /* A final block: another stream may follow (section 7.2.3.4). */
            *ended = z->avail_in == 0;
            status = inflateReset(z);
        }
        if (status == Z_MEM_ERROR)
            return INFLATE_NO_MEMORY;
        if (status != Z_OK && status != Z_BUF_ERROR)
            return INFLATE_BAD;
    } while (z->avail_in > 0 || (z->avail_out == 0 && !*ended));
    return INFLATE_OK;
}

enum inflate_result inflate_message(struct deflater *d, hb_str payload, size_t max_bytes,
    hb_str *out)
{
    if (!unpacker_ready(d))
        return INFLATE_NO_MEMORY;
    size_t used = 0;
    bool ended = false;
    set_input(&d->unpacker, payload.p, payload.n);
    enum inflate_result result = inflate_piece(d, max_bytes, &used, &ended);
    if (result == INFLATE_OK && !ended) {
        set_input(&d->unpacker, tail, sizeof(tail));
        result = inflate_piece(d, max_bytes, &used, &ended);
        /* zlib.h: 128 is set between blocks. Elsewhere the message was cut off. */
        if (result == INFLATE_OK && !(d->unpacker.data_type & 128))
            result = INFLATE_BAD;
    }
    if (result == INFLATE_OK)
        *out = (hb_str){d->unpacked.p, used};
    return result;
}
