#include "server/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "server/worker.h"
#include <stdlib.h>
#include <string.h>

enum { CLOSE_MS = 5000 }; /* for the tail, after stream_close */

void stream_init(hb_stream *s, const struct stream_ops *ops, const hb_stream_events *events,
    void *owner)
{
    *s = (hb_stream){.ops = ops, .fd = -1, .events = events, .owner = owner};
}

static void drop_tail(hb_stream *s)
{
    if (!s->tail)
        return;
    timer_cancel(&worker_self->shard.wheel, &s->tail->timer);
    free(s->tail->bytes);
    free(s->tail);
    s->tail = NULL;
}

void stream_release(hb_stream *s)
{
    drop_tail(s);
}

static void on_close_time(struct timer *t)
{
    hb_stream *s = container_of(t, struct tail, timer)->stream;
    drop_tail(s);
    s->ops->finish(s);
}

static struct tail *need_tail(hb_stream *s)
{
    if (!s->tail) {
        s->tail = mem_zalloc(sizeof *s->tail);
        s->tail->stream = s;
        timer_init(&s->tail->timer, on_close_time);
    }
    return s->tail;
}

/* Hand on what waits; true when nothing does any more. */
static bool flush_tail(hb_stream *s)
{
    struct tail *t = s->tail;
    if (!t)
        return true;
    if (t->n > t->at && !s->blocked) {
        struct iovec iov = {t->bytes + t->at, t->n - t->at};
        t->at += s->ops->write(s, &iov, 1);
    }
    if (t->at < t->n)
        return false;
    drop_tail(s);
    return true;
}

void stream_unblocked(hb_stream *s)
{
    s->blocked = false;
    if (!flush_tail(s) || s->blocked)
        return;
    if (s->closing)
        s->ops->finish(s);
    else if (s->watch)
        s->watch->writable(s->watcher);
}

void stream_ended(hb_stream *s)
{
    const hb_stream_events *events = s->events;
    s->events = NULL;
    if (!events || s->closing)
        return;
    if (s->watch && s->watch->gone)
        s->watch->gone(s->watcher);
    events->closed(s->owner);
}

size_t stream_writev(hb_stream *s, const struct iovec *iov, int n)
{
    if (s->blocked || s->closing || s->tail) {
        s->blocked = true; /* behind a tail: told when that is out */
        return 0;
    }
    return s->ops->write(s, iov, n);
}

int stream_fd(hb_stream *s)
{
    return s->broken ? -1 : s->fd;
}

void stream_bind(hb_stream *s, const struct io_watch *watch, void *watcher)
{
    s->watch = watch;
    s->watcher = watcher;
}

void stream_pause(hb_stream *s, bool paused)
{
    if (s->paused == paused || s->closing || !s->events)
        return;
    s->paused = paused;
    s->ops->pause(s, paused);
}

void stream_close(hb_stream *s)
{
    if (s->closing || !s->events)
        return;
    s->closing = true;
    s->watch = NULL;
    if (s->broken || (flush_tail(s) && !s->blocked && !s->ops->busy(s))) {
        s->ops->finish(s);
        return;
    }
    s->blocked = true;
    struct wheel *wheel = &worker_self->shard.wheel;
    timer_set(wheel, &need_tail(s)->timer, clock_mono_ms() + CLOSE_MS);
}

static bool append_tail(hb_stream *s, const char *bytes, size_t n)
{
    struct tail *t = need_tail(s);
    if (t->at && t->at >= t->n / 2) {
        memmove(t->bytes, t->bytes + t->at, t->n - t->at);
        t->n -= t->at;
        t->at = 0;
    }
    if (t->cap - t->n < n) {
        size_t cap = t->n + n + t->n / 2;
        char *grown = mem_try_realloc(t->bytes, cap);
        if (!grown)
            return false;
        t->bytes = grown;
        t->cap = cap;
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    return true;
}

size_t stream_write(hb_stream *s, const void *bytes, size_t n)
{
    size_t waiting = s->tail ? s->tail->n - s->tail->at : 0;
    if (s->closing || s->broken || waiting + n > (size_t)worker_self->shard.config->limits.outbox)
        return 0;
    struct iovec iov = {(void *)(uintptr_t)bytes, n};
    size_t sent = s->blocked || s->tail ? 0 : s->ops->write(s, &iov, 1);
    if (sent == n)
        return n;
    return append_tail(s, (const char *)bytes + sent, n - sent) ? n : 0;
}
