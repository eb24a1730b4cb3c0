#include "out/encode.h"
#include "base/check.h"
#include "out/cursor.h"
#include "out/msg.h"
#include <stdlib.h>
#include <string.h>

/* Scratch of this thread: encoding never nests. */
static _Thread_local struct hb_out scratch;

static struct frame *frame_of(const struct hb_out *out)
{
    if (out->bytes.n == 0 || out->bytes.failed)
        return NULL;
    struct frame *f = frame_create(out->bytes.n);
    if (!f)
        return NULL;
    memcpy(f->bytes, out->bytes.p, out->bytes.n);
    f->n_slots = out->n_slots;
    memcpy(f->slot, out->slot, sizeof(f->slot));
    memcpy(f->slot_at, out->slot_at, sizeof(f->slot_at));
    return f;
}

struct frame *encode_event(struct shard *shard, unsigned wire, const hb_event *ev)
{
    const struct wire *w = &shard->hub->wires[wire];
    buf_clear(&scratch.bytes);
    scratch.n_slots = 0;
    w->transport->encode(&shard->ctx[w->module], w->variant, ev, &scratch);
    struct frame *f = frame_of(&scratch);
    if (scratch.bytes.cap > 256 * 1024)
        buf_finish(&scratch.bytes);
    return f;
}

void encode_finish(void)
{
    buf_finish(&scratch.bytes);
}

struct frame *encode_message(struct shard *shard, unsigned wire, hb_message *m)
{
    hb_event ev;
    msg_event(m, &ev);
    struct frame *f = encode_event(shard, wire, &ev);
    if (f) {
        msg_ref(m);
        f->message = m;
        f->n_messages = 1;
        f->received_us = m->received_us;
    }
    return f;
}

struct frame *encode_bytes(const void *bytes, size_t n)
{
    struct frame *f = frame_create(n);
    if (f)
        memcpy(f->bytes, bytes, n);
    return f;
}

void out_bytes(hb_out *out, const void *bytes, size_t n)
{
    buf_append(&out->bytes, bytes, n);
}

hb_out *out_create(void)
{
    return mem_zalloc(sizeof(hb_out));
}

void out_destroy(hb_out *out)
{
    if (!out)
        return;
    buf_finish(&out->bytes);
    free(out);
}

bool out_failed(const hb_out *out)
{
    return out->bytes.failed;
}

void out_slot(hb_out *out, unsigned slot)
{
    CHECK_INVARIANT(out->n_slots < FRAME_SLOTS_MAX);
    out->slot[out->n_slots] = (uint8_t)slot;
    out->slot_at[out->n_slots++] = (uint32_t)out->bytes.n;
}

size_t out_size(const hb_out *out)
{
    return out->bytes.n;
}

hb_str out_view(const hb_out *out)
{
    return buf_view(&out->bytes);
}

void out_insert(hb_out *out, size_t at, const void *bytes, size_t n)
{
    size_t old = out->bytes.n;
    CHECK_INVARIANT(at <= old && out->n_slots == 0);
    if (!buf_reserve(&out->bytes, n))
        return;
    memmove(out->bytes.p + at + n, out->bytes.p + at, old - at);
    memcpy(out->bytes.p + at, bytes, n);
    out->bytes.n = old + n;
}

void out_truncate(hb_out *out, size_t n)
{
    if (n < out->bytes.n)
        out->bytes.n = n;
}
