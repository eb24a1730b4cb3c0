/*
 * The outbox of a session: what is to be written to it, in order, bounded in bytes. Idle it holds no
 * memory beyond this struct. A push outbox writes to its stream; a pull outbox waits to be taken
 * from. Past its bound it calls session_ops->overflow once and takes nothing more.
 *
 * One write a turn: what is pushed waits for outbox_flush at the end of the turn, except
 * outbox_deliver, the fan-out's short cut for an outbox that has nothing waiting.
 */
#ifndef OUT_OUTBOX_H
#define OUT_OUTBOX_H

#include "out/frame.h"
#include "out/shard.h"

enum outbox_flag {
    OUTBOX_BLOCKED = 1,   /* a short write: waiting for the stream */
    OUTBOX_OVERFLOW = 2,  /* past its bound; takes nothing */
    OUTBOX_CLOSED = 8,    /* takes nothing more; what it has still goes out */
    OUTBOX_TOLD = 16,     /* flushed is to be called when empty */
};

struct outbox {
    hb_stream *stream;     /* NULL: pull */
    struct frame **ring;   /* owned; NULL while nothing waits */
    struct list dirty;     /* in shard->dirty_boxes while something is to be done this turn */
    uint32_t count;
    uint32_t fast;         /* index into shard->fast */
    uint32_t head, cap;
    uint32_t off;          /* bytes of the first frame that are written */
    uint32_t bytes;        /* waiting, with overhead; limits.outbox is at most 1 GiB */
    uint32_t exempt;       /* of these, replayed history, a page a room: not counted against the bound */
    uint8_t wire;          /* index into hub->wires */
    uint8_t flags;
};

/* At the end of a worker's thread: its scratch memory. */
void outboxes_finish(void);
void outbox_init(struct shard *s, struct outbox *o, unsigned wire);
void outbox_finish(struct shard *s, struct outbox *o);     /* drops what waits */
void outbox_detach(struct shard *s, struct outbox *o);     /* the stream is gone, or to be closed by the caller */
void outbox_close(struct shard *s, struct outbox *o);      /* takes nothing more; what it has still goes out */
void outbox_reopen(struct shard *s, struct outbox *o);     /* after an overflow was dropped: for closing bytes */
void outbox_attach(struct shard *s, struct outbox *o, hb_stream *stream);
/* Another wire form; nothing is queued. */
void outbox_rewire(struct shard *s, struct outbox *o, unsigned wire);
/* The same with frames of the former form still waiting, which may stand beside the new ones. */
void outbox_vary(struct shard *s, struct outbox *o, unsigned wire);

/* Queue a frame (takes a reference of its own). False: overflown or closed, dropped. NULL frames
 * are fine: nothing to tell. */
bool outbox_push(struct shard *s, struct outbox *o, struct frame *f);
/* The same for a replay, which comes at the client's pace and is not counted. */
bool outbox_replay(struct shard *s, struct outbox *o, struct frame *f);
/* The same, written at once: `fd` is that of its entry in shard->fast, not -1. Returns true when it
 * all was written. */
bool outbox_send(struct shard *s, struct outbox *o, int fd, struct frame *f);
/* Encode an event in this outbox's form and queue it. */
void outbox_event(struct shard *s, struct outbox *o, const hb_event *ev);
/* Write what waits (push) or say ready (pull). */
void outbox_flush(struct shard *s, struct outbox *o);
/* The stream takes bytes again. */
void outbox_writable(struct shard *s, struct outbox *o);
/* Move up to max_bytes of frames (at least one) to `to`, slots filled, separated; returns how many. */
size_t outbox_take(struct shard *s, struct outbox *o, size_t max_bytes, hb_str separator, hb_out *to);
/* Drop all that waits, but a frame that is half written. */
void outbox_drop(struct shard *s, struct outbox *o);
/* Drop all that waits: there is nobody to write to any more. */
void outbox_abandon(struct shard *s, struct outbox *o);
/* Call session_ops->flushed once when nothing waits any more (maybe at the end of this turn). */
void outbox_tell_when_flushed(struct shard *s, struct outbox *o);

static inline bool outbox_idle(const struct outbox *o)
{
    return o->count == 0;
}

#endif
