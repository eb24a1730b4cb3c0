/*
 * Encoding: once per event and wire form. hb_out is where a transport's encode and fill put bytes.
 * Worker's thread.
 */
#ifndef OUT_ENCODE_H
#define OUT_ENCODE_H

#include "out/frame.h"
#include "out/shard.h"

struct hb_out {
    struct buf bytes;
    uint8_t n_slots;
    uint8_t slot[FRAME_SLOTS_MAX];
    uint32_t slot_at[FRAME_SLOTS_MAX];
};

/* The frame of an event in that wire form, one reference, or NULL when this form does not tell it
 * (or memory is out). */
struct frame *encode_event(struct shard *shard, unsigned wire, const hb_event *ev);
/* The same for a room's message; the frame keeps a reference to it. */
struct frame *encode_message(struct shard *shard, unsigned wire, hb_message *m);
/* A frame of bytes as they are. */
struct frame *encode_bytes(const void *bytes, size_t n);

/* Free what encoding keeps for this thread. */
void encode_finish(void);

/* hb_net's out functions. */
hb_out *out_create(void);
void out_destroy(hb_out *out); /* NULL is fine */
bool out_failed(const hb_out *out);
void out_bytes(hb_out *out, const void *bytes, size_t n);
void out_slot(hb_out *out, unsigned slot);
size_t out_size(const hb_out *out);
hb_str out_view(const hb_out *out);
void out_insert(hb_out *out, size_t at, const void *bytes, size_t n);
void out_truncate(hb_out *out, size_t n);

#endif
