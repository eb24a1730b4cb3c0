#include "out/outbox.h"
#include "out/encode.h"
#include "base/check.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

enum { IOV_BATCH = 64, FIRST_CAP = 4 };

void outbox_init(struct outbox *o, unsigned wire)
{
    memset(o, 0, sizeof(*o));
    list_init(&o->dirty);
    o->wire = (uint8_t)wire;
}

static struct frame *at(const struct outbox *o, uint32_t i)
{
    return o->ring[(o->head + i) & (o->cap - 1)];
}

static void release_ring(struct outbox *o)
{
    free(o->ring);
    o->ring = NULL;
    o->cap = o->head = 0;
}

static void pop(struct outbox *o)
{
    struct frame *f = at(o, 0);
    o->head = (o->head + 1) & (o->cap - 1);
    o->count--;
    o->bytes -= f->n + FRAME_OVERHEAD;
    o->off = 0;
    frame_unref(f);
    if (o->count == 0) {
        release_ring(o);
        o->exempt = 0;
    }
}

void outbox_finish(struct outbox *o)
{
    list_remove(&o->dirty);
    while (o->count > 0)
        pop(o);
}

static void mark_dirty(struct shard *s, struct outbox *o)
{
    if (list_empty(&o->dirty))
        list_push_back(&s->dirty_boxes, &o->dirty);
}

static bool grow(struct outbox *o)
{
    uint32_t cap = o->cap ? o->cap * 2 : FIRST_CAP;
    struct frame **ring = mem_try_alloc(cap * sizeof(struct frame *));
    if (!ring)
        return false;
    for (uint32_t i = 0; i < o->count; i++)
        ring[i] = at(o, i);
    free(o->ring);
    o->ring = ring;
    o->cap = cap;
    o->head = 0;
    return true;
}

static void overflow(struct shard *s, struct outbox *o)
{
    if (o->flags & OUTBOX_OVERFLOW)
        return;
    o->flags |= OUTBOX_OVERFLOW;
    s->hub->session_ops->overflow(s, o);
}

static bool append(struct shard *s, struct outbox *o, struct frame *f)
{
    if (o->flags & (OUTBOX_OVERFLOW | OUTBOX_CLOSED))
        return false;
    size_t bytes = o->bytes + f->n + FRAME_OVERHEAD;
    if ((o->count > 0 && bytes > (size_t)s->config->limits.outbox + o->exempt) ||
        (o->count == o->cap && !grow(o))) {
        overflow(s, o);
        return false;
    }
    frame_ref(f);
    o->ring[(o->head + o->count++) & (o->cap - 1)] = f;
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)(bytes - o->bytes));
    o->bytes = bytes;
    return true;
}

void outbox_attach(struct shard *s, struct outbox *o, hb_stream *stream)
{
    o->stream = stream;
    mark_dirty(s, o);
}

bool outbox_push(struct shard *s, struct outbox *o, struct frame *f)
{
    if (!f)
        return true;
    if (!append(s, o, f))
        return false;
    if (!(o->flags & OUTBOX_BLOCKED))
        mark_dirty(s, o);
    return true;
}

bool outbox_replay(struct shard *s, struct outbox *o, struct frame *f)
{
    if (f)
        o->exempt += f->n + FRAME_OVERHEAD;
    return outbox_push(s, o, f);
}

void outbox_event(struct shard *s, struct outbox *o, const hb_event *ev)
{
    struct frame *f = encode_event(s, o->wire, ev);
    outbox_push(s, o, f);
    frame_unref(f);
}

/* The rare tail of a short cut: keep the rest. */
static void keep_rest(struct shard *s, struct outbox *o, struct frame *f, size_t written)
{
    if (append(s, o, f)) {
        o->off = (uint32_t)written;
        o->flags |= OUTBOX_BLOCKED;
    }
}

bool outbox_deliver(struct shard *s, struct outbox *o, struct frame *f, bool now)
{
    if (!now || o->count > 0 || !o->stream || f->n_slots || (o->flags & ~OUTBOX_SKIPS)) {
        outbox_push(s, o, f);
        return false;
    }
    struct iovec iov = {f->bytes, f->n};
    size_t n = s->hub->io->write(o->stream, &iov, 1);
    if (n == f->n) {
        metrics_add(s->metrics, METRIC_SENT_BYTES, (int64_t)n);
        return true;
    }
    keep_rest(s, o, f, n);
    metrics_add(s->metrics, METRIC_SENT_BYTES, (int64_t)n);
    return false;
}

/* --- gathering: frames into iovecs, slots filled ------------------------------------------------ */

struct gather {
    struct iovec iov[IOV_BATCH];
    int n_iov;
    uint32_t frames;       /* whole frames in it, from the head */
    size_t total;
    struct hb_out fills;   /* bytes of all slots; iovecs of slots hold offsets until fixed */
    bool slot_iov[IOV_BATCH];
};

static void add_iov(struct gather *g, const char *p, size_t n, bool slot)
{
    if (n == 0)
        return;
    g->iov[g->n_iov] = (struct iovec){(void *)(uintptr_t)p, n};
    g->slot_iov[g->n_iov++] = slot;
    g->total += n;
}

static void gather_frame(struct shard *s, struct outbox *o, struct frame *f, uint32_t off, struct gather *g)
{
    if (f->message && s->hub->wires[o->wire].cursors)
        s->hub->session_ops->advance(o, f->message);
    for (unsigned i = 0; i < f->n_slots; i++) {
        size_t before = g->fills.bytes.n;
        add_iov(g, f->bytes + off, f->slot_at[i] - off, false);
        s->hub->session_ops->fill(s, o, f->slot[i], &g->fills);
        add_iov(g, (const char *)before, g->fills.bytes.n - before, true);
        off = f->slot_at[i];
    }
    add_iov(g, f->bytes + off, f->n - off, false);
    g->frames++;
}

static void gather(struct shard *s, struct outbox *o, struct gather *g)
{
    g->n_iov = 0;
    g->frames = 0;
    g->total = 0;
    memset(&g->fills, 0, sizeof(g->fills));
    while (g->frames < o->count) {
        struct frame *f = at(o, g->frames);
        if (g->n_iov + 2 * f->n_slots + 1 > IOV_BATCH)
            break;
        gather_frame(s, o, f, g->frames == 0 ? o->off : 0, g);
    }
    for (int i = 0; i < g->n_iov; i++)
        if (g->slot_iov[i])
            g->iov[i].iov_base = g->fills.bytes.p + (uintptr_t)g->iov[i].iov_base;
}

static void observe_written(struct shard *s, const struct frame *f, uint64_t now_us)
{
    if (f->n_messages == 0)
        return;
    metrics_observe(s->metrics, METRIC_DELIVERY, (now_us - f->received_us) * 1000, f->n_messages);
}

/* What a short write left of a batch with filled slots becomes one private frame at the head: the
 * slots were filled and positions moved, so it must go out exactly as gathered. */
static bool materialise(struct shard *s, struct outbox *o, const struct gather *g, size_t written)
{
    struct frame *rest = frame_create(g->total - written);
    if (!rest)
        return false;
    size_t used = 0, skip = written;
    for (int i = 0; i < g->n_iov; i++) {
        size_t drop = skip < g->iov[i].iov_len ? skip : g->iov[i].iov_len;
        memcpy(rest->bytes + used, (char *)g->iov[i].iov_base + drop, g->iov[i].iov_len - drop);
        used += g->iov[i].iov_len - drop;
        skip -= drop;
    }
    for (uint32_t i = 0; i < g->frames; i++)
        pop(o);
    if (o->cap == 0 && !grow(o)) {
        frame_unref(rest);
        return false;
    }
    o->head = (o->head - 1) & (o->cap - 1);
    o->ring[o->head] = rest;
    o->count++;
    o->off = 0;
    o->bytes += rest->n + FRAME_OVERHEAD;
    return true;
}

/* Consume what was written of frames without slots. */
static void consume(struct shard *s, struct outbox *o, size_t written)
{
    uint64_t now = clock_mono_us();
    while (o->count > 0 && written > 0) {
        struct frame *f = at(o, 0);
        size_t left = f->n - o->off;
        if (written < left) {
            o->off += (uint32_t)written;
            return;
        }
        written -= left;
        observe_written(s, f, now);
        pop(o);
    }
}

/* One write of what waits. False: the stream takes no more. */
static bool write_batch(struct shard *s, struct outbox *o)
{
    struct gather g;
    gather(s, o, &g);
    size_t n = s->hub->io->write(o->stream, g.iov, g.n_iov), before = o->bytes;
    bool all = n == g.total;
    metrics_add(s->metrics, METRIC_SENT_BYTES, (int64_t)n);
    if (g.fills.bytes.n == 0) {
        consume(s, o, n);
    } else if (all) {
        uint64_t now = clock_mono_us();
        for (uint32_t i = 0; i < g.frames; i++) {
            observe_written(s, at(o, 0), now);
            pop(o);
        }
    } else if (!materialise(s, o, &g, n)) {
        outbox_drop(s, o);
        overflow(s, o);
    }
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)o->bytes - (int64_t)before);
    buf_finish(&g.fills.bytes);
    if (!all)
        o->flags |= OUTBOX_BLOCKED;
    return all;
}

static void tell_flushed(struct shard *s, struct outbox *o)
{
    if (o->count == 0 && (o->flags & OUTBOX_TOLD)) {
        o->flags &= (uint8_t)~OUTBOX_TOLD;
        s->hub->session_ops->flushed(s, o);
    }
}

void outbox_flush(struct shard *s, struct outbox *o)
{
    list_remove(&o->dirty);
    if (!o->stream) {
        if (o->count > 0)
            s->hub->session_ops->ready(s, o);
        tell_flushed(s, o);
        return;
    }
    if (o->flags & OUTBOX_BLOCKED)
        return;
    while (o->count > 0 && write_batch(s, o))
        ;
    tell_flushed(s, o);
}

void outbox_writable(struct shard *s, struct outbox *o)
{
    o->flags &= (uint8_t)~OUTBOX_BLOCKED;
    outbox_flush(s, o);
}

size_t outbox_take(struct shard *s, struct outbox *o, size_t max_bytes, hb_str separator, hb_out *to)
{
    size_t taken = 0, before = o->bytes, start = to->bytes.n;
    uint64_t now = clock_mono_us();
    while (o->count > 0 && (taken == 0 || to->bytes.n - start + at(o, 0)->n <= max_bytes)) {
        struct frame *f = at(o, 0);
        uint32_t off = 0;
        if (taken++ > 0)
            buf_str(&to->bytes, separator);
        if (f->message && s->hub->wires[o->wire].cursors)
            s->hub->session_ops->advance(o, f->message);
        for (unsigned i = 0; i < f->n_slots; i++) {
            buf_append(&to->bytes, f->bytes + off, f->slot_at[i] - off);
            s->hub->session_ops->fill(s, o, f->slot[i], to);
            off = f->slot_at[i];
        }
        buf_append(&to->bytes, f->bytes + off, f->n - off);
        observe_written(s, f, now);
        pop(o);
    }
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)o->bytes - (int64_t)before);
    metrics_add(s->metrics, METRIC_SENT_BYTES, (int64_t)(to->bytes.n - start));
    if (taken > 0)
        mark_dirty(s, o);
    return taken;
}

void outbox_drop(struct shard *s, struct outbox *o)
{
    size_t before = o->bytes;
    struct frame *half = o->count > 0 && o->off > 0 ? at(o, 0) : NULL;
    uint32_t off = o->off;
    if (half)
        frame_ref(half);
    while (o->count > 0)
        pop(o);
    if (half) {
        if (grow(o)) {
            o->ring[0] = half;
            o->count = 1;
            o->off = off;
            o->bytes = half->n + FRAME_OVERHEAD;
        } else {
            frame_unref(half);
        }
    }
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)o->bytes - (int64_t)before);
}

void outbox_abandon(struct shard *s, struct outbox *o)
{
    metrics_add(s->metrics, METRIC_DROPPED + DROPPED_GONE, o->count);
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, -(int64_t)o->bytes);
    while (o->count > 0)
        pop(o);
}

void outbox_tell_when_flushed(struct shard *s, struct outbox *o)
{
    o->flags |= OUTBOX_TOLD;
    mark_dirty(s, o);
}
