#include "out/outbox.h"
#include "out/encode.h"
#include "base/check.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { IOV_BATCH = 64, FIRST_CAP = 4, COPY_BATCH = 64 * 1024, COPY_KEPT = 256 * 1024 };

static uint32_t take_fast(struct shard *s)
{
    if (s->free_fast) {
        uint32_t i = s->free_fast - 1;
        s->free_fast = (uint32_t)s->fast[i].fd;
        return i;
    }
    if (s->n_fast == s->cap_fast) {
        s->cap_fast = s->cap_fast ? s->cap_fast * 2 : 64;
        s->fast = mem_realloc(s->fast, s->cap_fast * sizeof(*s->fast));
    }
    return s->n_fast++;
}

void outbox_init(struct shard *s, struct outbox *o, unsigned wire)
{
    memset(o, 0, sizeof(*o));
    list_init(&o->dirty);
    o->wire = (uint8_t)wire;
    o->fast = take_fast(s);
    s->fast[o->fast] = (struct fast){-1, o->wire};
}

/* Keep its fast entry true: after each change of count, flags or stream. */
static void refresh(struct shard *s, struct outbox *o)
{
    bool ready = o->stream && o->count == 0 && !o->flags;
    s->fast[o->fast].fd = ready ? s->hub->io->fd(o->stream) : -1;
}

static void set_flag(struct shard *s, struct outbox *o, uint8_t flag, bool on)
{
    o->flags = (uint8_t)(on ? o->flags | flag : o->flags & ~flag);
    refresh(s, o);
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

static void pop(struct shard *s, struct outbox *o)
{
    struct frame *f = at(o, 0);
    o->head = (o->head + 1) & (o->cap - 1);
    o->count--;
    o->bytes -= f->n + (uint32_t)FRAME_OVERHEAD;
    o->off = 0;
    frame_unref(f);
    if (o->count == 0) {
        release_ring(o);
        o->exempt = 0;
        refresh(s, o);
    }
}

void outbox_finish(struct shard *s, struct outbox *o)
{
    list_remove(&o->dirty);
    while (o->count > 0)
        pop(s, o);
    s->fast[o->fast].fd = (int)s->free_fast;
    s->free_fast = o->fast + 1;
}

void outbox_detach(struct shard *s, struct outbox *o)
{
    o->stream = NULL;
    refresh(s, o);
}

void outbox_close(struct shard *s, struct outbox *o)
{
    set_flag(s, o, OUTBOX_CLOSED, true);
}

void outbox_reopen(struct shard *s, struct outbox *o)
{
    set_flag(s, o, OUTBOX_OVERFLOW, false);
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
    set_flag(s, o, OUTBOX_OVERFLOW, true);
    s->hub->session_ops->overflow(s, o);
}

static bool append(struct shard *s, struct outbox *o, struct frame *f)
{
    if (o->flags & (OUTBOX_OVERFLOW | OUTBOX_CLOSED))
        return false;
    size_t bytes = (size_t)o->bytes + f->n + FRAME_OVERHEAD;
    if (bytes > UINT32_MAX ||
        (o->count > 0 && bytes > (size_t)s->config->limits.outbox + o->exempt) ||
        (o->count == o->cap && !grow(o))) {
        overflow(s, o);
        return false;
    }
    frame_ref(f);
    s->fast[o->fast].fd = -1;
    o->ring[(o->head + o->count++) & (o->cap - 1)] = f;
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)(bytes - o->bytes));
    o->bytes = (uint32_t)bytes;
    return true;
}

void outbox_attach(struct shard *s, struct outbox *o, hb_stream *stream)
{
    o->stream = stream;
    refresh(s, o);
    mark_dirty(s, o);
}

void outbox_rewire(struct shard *s, struct outbox *o, unsigned wire)
{
    CHECK_INVARIANT(o->count == 0);
    outbox_vary(s, o, wire);
}

void outbox_vary(struct shard *s, struct outbox *o, unsigned wire)
{
    o->wire = (uint8_t)wire;
    s->fast[o->fast].wire = o->wire;
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
        o->exempt += f->n + (uint32_t)FRAME_OVERHEAD;
    return outbox_push(s, o, f);
}

void outbox_event(struct shard *s, struct outbox *o, const hb_event *ev)
{
    struct frame *f = encode_event(s, o->wire, ev);
    outbox_push(s, o, f);
    frame_unref(f);
}

/* The rare end of the short way: the stream takes the rest when it can, errors are its business. */
static bool send_rest(struct shard *s, struct outbox *o, struct frame *f, size_t sent)
{
    struct iovec iov = {f->bytes + sent, f->n - sent};
    sent += s->hub->io->write(o->stream, &iov, 1);
    if (sent == f->n)
        return true;
    if (append(s, o, f)) {
        o->off = (uint32_t)sent;
        set_flag(s, o, OUTBOX_BLOCKED, true);
    }
    return false;
}

bool outbox_send(struct shard *s, struct outbox *o, int fd, struct frame *f)
{
    ssize_t sent = send(fd, f->bytes, f->n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)f->n)
        return true;
    if (sent > 0)
        metrics_add(s->metrics, METRIC_SENT_BYTES, sent);
    return send_rest(s, o, f, sent > 0 ? (size_t)sent : 0);
}

/* --- gathering: what one write takes ------------------------------------------------------------- */

/* Frames go by reference. Where one has slots, all are copied, with the slots filled: a session's own
 * bytes stand in the middle of each, and pieces of that size cost more than their copy. */
struct gather {
    struct iovec iov[IOV_BATCH];
    int n_iov;
    uint32_t frames;       /* whole frames in it, from the head */
    size_t total;
    bool copied;           /* to `filled` */
};

static _Thread_local struct hb_out filled; /* of the write that is under way */

void outboxes_finish(void)
{
    buf_finish(&filled.bytes);
}

static bool have_slots(const struct outbox *o)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (at(o, i)->n_slots)
            return true;
    return false;
}

static void advance(struct shard *s, struct outbox *o, const struct frame *f)
{
    if (f->message && s->hub->wires[o->wire].cursors)
        s->hub->session_ops->advance(o, f->message);
}

static void refer(struct shard *s, struct outbox *o, struct gather *g)
{
    for (; g->frames < o->count && g->frames < IOV_BATCH; g->frames++) {
        struct frame *f = at(o, g->frames);
        uint32_t off = g->frames == 0 ? o->off : 0;
        advance(s, o, f);
        g->iov[g->n_iov++] = (struct iovec){f->bytes + off, f->n - off};
        g->total += f->n - off;
    }
}

static void fill_slots(struct shard *s, struct outbox *o, const struct frame *f, uint32_t off, hb_out *to)
{
    for (unsigned i = 0; i < f->n_slots; i++) {
        buf_append(&to->bytes, f->bytes + off, f->slot_at[i] - off);
        s->hub->session_ops->fill(s, o, f->slot[i], to);
        off = f->slot_at[i];
    }
    buf_append(&to->bytes, f->bytes + off, f->n - off);
}

static void copy(struct shard *s, struct outbox *o, struct gather *g)
{
    g->copied = true;
    buf_clear(&filled.bytes);
    for (; g->frames < o->count && filled.bytes.n < COPY_BATCH; g->frames++) {
        struct frame *f = at(o, g->frames);
        advance(s, o, f);
        fill_slots(s, o, f, g->frames == 0 ? o->off : 0, &filled);
    }
    g->total = filled.bytes.n;
    g->iov[g->n_iov++] = (struct iovec){filled.bytes.p, filled.bytes.n};
}

static void gather(struct shard *s, struct outbox *o, struct gather *g)
{
    g->n_iov = 0;
    g->frames = 0;
    g->total = 0;
    g->copied = false;
    if (have_slots(o))
        copy(s, o, g);
    else
        refer(s, o, g);
}

static void observe_written(struct shard *s, const struct frame *f, uint64_t now_us)
{
    if (f->n_messages == 0)
        return;
    metrics_observe(s->metrics, METRIC_DELIVERY, (now_us - f->received_us) * 1000, f->n_messages);
}

/* Give it what its own frames would have told of deliveries. */
static void inherit(struct frame *rest, const struct frame *f)
{
    rest->n_messages += f->n_messages;
    if (!rest->received_us)
        rest->received_us = f->received_us;
}

/* What a short write left of a copy becomes one private frame at the head: the slots were filled and
 * positions moved, so it must go out exactly as it is. */
static bool materialise(struct shard *s, struct outbox *o, const struct gather *g, size_t written)
{
    struct frame *rest = filled.bytes.failed ? NULL : frame_create(g->total - written);
    if (!rest)
        return false;
    memcpy(rest->bytes, filled.bytes.p + written, rest->n);
    for (uint32_t i = 0; i < g->frames; i++) {
        inherit(rest, at(o, 0));
        pop(s, o);
    }
    if (o->cap == 0 && !grow(o)) {
        frame_unref(rest);
        return false;
    }
    o->head = (o->head - 1) & (o->cap - 1);
    o->ring[o->head] = rest;
    o->count++;
    o->off = 0;
    o->bytes += rest->n + (uint32_t)FRAME_OVERHEAD;
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
        pop(s, o);
    }
}

static void consume_copied(struct shard *s, struct outbox *o, uint32_t frames)
{
    uint64_t now = clock_mono_us();
    for (uint32_t i = 0; i < frames; i++) {
        observe_written(s, at(o, 0), now);
        pop(s, o);
    }
}

/* One write of what waits. False: the stream takes no more. */
static bool write_batch(struct shard *s, struct outbox *o)
{
    struct gather g;
    gather(s, o, &g);
    bool failed = g.copied && filled.bytes.failed;
    size_t n = failed ? 0 : s->hub->io->write(o->stream, g.iov, g.n_iov), before = o->bytes;
    bool all = n == g.total && !failed, kept = true;
    if (!g.copied) {
        consume(s, o, n);
    } else if (all) {
        consume_copied(s, o, g.frames);
    } else {
        kept = materialise(s, o, &g, n);
    }
    if (filled.bytes.cap > COPY_KEPT)
        buf_finish(&filled.bytes);
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)o->bytes - (int64_t)before);
    if (!kept) {
        outbox_drop(s, o);
        overflow(s, o);
    }
    if (!all)
        set_flag(s, o, OUTBOX_BLOCKED, true);
    return all;
}

static void tell_flushed(struct shard *s, struct outbox *o)
{
    if (o->count == 0 && (o->flags & OUTBOX_TOLD)) {
        set_flag(s, o, OUTBOX_TOLD, false);
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
    set_flag(s, o, OUTBOX_BLOCKED, false);
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
        pop(s, o);
    }
    metrics_add(s->metrics, METRIC_OUTBOX_BYTES, (int64_t)o->bytes - (int64_t)before);
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
        pop(s, o);
    if (half) {
        if (grow(o)) {
            o->ring[0] = half;
            o->count = 1;
            o->off = off;
            o->bytes = half->n + (uint32_t)FRAME_OVERHEAD;
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
        pop(s, o);
}

void outbox_tell_when_flushed(struct shard *s, struct outbox *o)
{
    set_flag(s, o, OUTBOX_TOLD, true);
    mark_dirty(s, o);
}
