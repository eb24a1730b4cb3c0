/* The near half of a forwarded request: on the worker where the client is. */
#include "server/bridge.h"
#include "server/letter.h"
#include "server/stream.h"
#include <stdlib.h>

enum {
    UNUSED_MAX = 64 * 1024, /* bytes from the client that far has not used, beyond a message */
};

struct near {
    struct worker *worker;
    int owner;
    struct far *far;
    struct request *request; /* until answered, gone or taken over */
    hb_stream *stream;       /* taken over */
    size_t unused;           /* DATA sent, not yet USED */
    struct buf out;          /* WRITE that the stream did not take yet; far keeps to its window */
    bool paused, sent_end, got_end;
};

static void near_free_if_ended(struct near *n)
{
    if (!n->sent_end || !n->got_end)
        return;
    buf_finish(&n->out);
    free(n);
}

static void near_tell(struct near *n, enum step step, int64_t count)
{
    letter_send_step(n->owner, n->far, step, count);
}

/* The client went: the last thing far hears from here, unless it has heard that already. */
static void near_gone(struct near *n)
{
    n->request = NULL;
    n->stream = NULL;
    if (!n->sent_end) {
        n->sent_end = true;
        near_tell(n, STEP_GONE, 0);
    }
    near_free_if_ended(n);
}

static void on_request_gone(hb_request *req)
{
    near_gone(req->owner);
}

/* Hand on what waits, and tell far how much of its window is free again. */
static void near_flush(void *owner)
{
    struct near *n = owner;
    struct iovec iov = {n->out.p, n->out.n};
    size_t sent = n->out.n ? stream_writev(n->stream, &iov, 1) : 0;
    if (!sent)
        return;
    buf_consume(&n->out, sent);
    if (!n->out.n)
        buf_finish(&n->out);
    near_tell(n, STEP_WRITTEN, (int64_t)sent);
}

static const struct io_watch near_watch = {.writable = near_flush};

static void on_open(void *owner, hb_stream *stream)
{
    struct near *n = owner;
    if (!stream) {
        near_gone(n);
        return;
    }
    n->stream = stream;
    stream_bind(stream, &near_watch, n);
    near_tell(n, STEP_OPENED, 0);
}

static size_t on_data(void *owner, const char *bytes, size_t size)
{
    struct near *n = owner;
    struct letter *l = letter_create(STEP_DATA, 0, NULL, 0, (hb_str){bytes, size});
    size_t most = UNUSED_MAX + (size_t)n->worker->shard.config->limits.message_size;
    if (!l)
        return 0;
    letter_send(n->owner, n->far, l);
    n->unused += size;
    if (n->unused > most && !n->paused) {
        n->paused = true;
        stream_pause(n->stream, true);
    }
    return size;
}

static void on_closed(void *owner)
{
    near_gone(owner);
}

static const hb_stream_events near_events = {sizeof near_events, on_open, on_data, on_closed};

static void near_write(struct near *n, hb_str bytes)
{
    if (!n->stream)
        return;
    buf_str(&n->out, bytes);
    near_flush(n);
}

static void near_used(struct near *n, size_t count)
{
    n->unused -= count;
    if (n->paused && n->stream && n->unused <= UNUSED_MAX / 2) {
        n->paused = false;
        stream_pause(n->stream, false);
    }
}

static void near_end(struct near *n, const struct letter *l)
{
    struct request *r = n->request;
    hb_stream *s = n->stream;
    n->got_end = true;
    n->request = NULL;
    n->stream = NULL;
    if (!n->sent_end) {
        n->sent_end = true;
        near_tell(n, STEP_DONE, 0);
    }
    if (r && l->step == STEP_RESPOND) {
        r->pub.gone = NULL;
        request_respond(&r->pub, (int)l->n, l->headers, l->n_headers, l->bytes);
    }
    if (s) {
        stream_write(s, n->out.p, n->out.n); /* at most the window: the tail has room */
        stream_close(s);
    }
    near_free_if_ended(n);
}

void near_deliver(struct near *n, const struct letter *l)
{
    struct request *r = n->request;
    switch (l->step) {
    case STEP_PARK:
        if (r)
            request_park(&r->pub, l->headers, l->n_headers);
        break;
    case STEP_TAKE_OVER:
        n->request = NULL;
        if (r)
            request_take_over(&r->pub, (int)l->n, l->headers, l->n_headers, &near_events, n);
        break;
    case STEP_WRITE:
        near_write(n, l->bytes);
        break;
    case STEP_USED:
        near_used(n, (size_t)l->n);
        break;
    default:
        near_end(n, l);
    }
}

void bridge_forward(struct request *r, int owner, int module, const hb_claim *claim)
{
    struct near *n = mem_zalloc(sizeof *n);
    bool copied;
    struct far *f = far_create(r, n, module, claim, &copied);
    if (!copied) {
        far_discard(f);
        free(n);
        request_respond_error(&r->pub, HB_UNAVAILABLE, HB_STR("Out of memory."), 0);
        return;
    }
    *n = (struct near){.worker = r->worker, .owner = owner, .far = f, .request = r};
    r->pub.owner = n;
    r->pub.gone = on_request_gone;
    letter_send_step(owner, f, STEP_REQUEST, 0);
}
