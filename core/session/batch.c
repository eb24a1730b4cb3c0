#include "session/batch.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "session/native.h"
#include "session/ops.h"
#include <stdlib.h>
#include <string.h>

struct batch {
    struct list in_session;
    struct session *ss;
    hb_request *req;          /* NULL: its client went away */
    struct json_iter items;
    struct buf out;           /* the answer so far */
    struct native_scratch scratch;
    bool checked;             /* each item is JSON within the bounds */
    bool running, answered, stopped;
    hb_event stop;            /* the error that the rest gets; its text is in `why` */
    char why[160];
    size_t n_body;
    char body[];
};

static void append(struct batch *b, const hb_event *ev)
{
    size_t before = b->out.n;
    if (before > 1)
        buf_char(&b->out, ',');
    size_t start = b->out.n;
    native_encode(ev, &b->out);
    if (b->out.n == start)
        b->out.n = before;
}

static void destroy(struct batch *b)
{
    list_remove(&b->in_session);
    buf_finish(&b->out);
    buf_finish(&b->scratch.text);
    free(b);
}

static void respond(struct batch *b)
{
    static const hb_header headers[] = {{{"content-type", 12}, {"application/json", 16}},
        {{"cache-control", 13}, {"no-store", 8}}};
    buf_char(&b->out, ']');
    if (b->req) {
        b->req->gone = NULL;
        b->ss->s->hub->io->respond(b->req, 200, headers, 2, buf_view(&b->out));
    }
    destroy(b);
}

static hb_code decode(struct batch *b, hb_str item, hb_op *f, const char **sentence)
{
    return b->checked ? native_decode_checked(item, &b->scratch, f, sentence)
                      : native_decode(item, &b->scratch, f, sentence);
}

/* An item that is not run any more: the same error as the one that stopped the batch. */
static void refuse_item(struct batch *b, hb_str item)
{
    hb_op f;
    const char *sentence;
    decode(b, item, &f, &sentence);
    hb_event ev = b->stop;
    ev.kind = f.id.p ? HB_EV_REPLY : HB_EV_ERROR;
    ev.id = f.id;
    append(b, &ev);
}

static void run_item(struct batch *b, hb_str item)
{
    hb_op f;
    const char *sentence;
    b->answered = false;
    hb_code code = decode(b, item, &f, &sentence);
    if (code == HB_OK)
        ops_input(b->ss, &f, OP_BATCH, b);
    else
        ops_bad(b->ss, &f, code, str_of(sentence), b);
}

static void pump(struct batch *b)
{
    hb_str item;
    struct session *ss = b->ss;
    b->running = true;
    while (b->answered && ss->state < SESSION_CLOSING && json_next_item(&b->items, &item)) {
        if (b->stopped)
            refuse_item(b, item);
        else
            run_item(b, item);
    }
    b->running = false;
    if (b->answered && ss->state < SESSION_CLOSING)
        respond(b);
}

void batch_reply(struct batch *b, const hb_event *ev)
{
    append(b, ev);
    b->answered = true;
    if (ev->code == HB_RATE_LIMITED || ev->code == HB_UNAVAILABLE) {
        size_t n = ev->text.n < sizeof(b->why) ? ev->text.n : sizeof(b->why);
        b->stopped = true;
        b->stop = *ev;
        memcpy(b->why, ev->text.p ? ev->text.p : "", n);
        b->stop.text = (hb_str){b->why, n};
    }
    if (!b->running)
        pump(b);
}

static void on_gone(hb_request *req)
{
    ((struct batch *)req->owner)->req = NULL;
}

void batch_run(struct session *ss, hb_request *req)
{
    const struct io_ops *io = ss->s->hub->io;
    hb_str body = str_trim(req->body);
    bool single = body.n == 0 || body.p[0] != '[';
    bool checked = json_check(body, NATIVE_DEPTH_MAX + !single, NULL) == JSON_OK;
    if (!checked && !json_walkable(body)) {
        io->respond_error(req, HB_BAD_REQUEST, HB_STR("the body is one op or an array of ops, as JSON"), 0);
        return;
    }
    struct batch *b = mem_try_alloc(sizeof(*b) + body.n + 2);
    if (!b) {
        io->respond_error(req, HB_UNAVAILABLE, HB_STR("out of memory"), 1000);
        return;
    }
    memset(b, 0, sizeof(*b));
    b->n_body = body.n + (single ? 2 : 0);
    memcpy(b->body + single, body.p, body.n);
    if (single) {
        b->body[0] = '[';
        b->body[b->n_body - 1] = ']';
    }
    b->checked = checked;
    b->ss = ss;
    b->req = req;
    b->items = json_iter((hb_str){b->body, b->n_body});
    b->answered = true;
    buf_char(&b->out, '[');
    list_push_back(&ss->batches, &b->in_session);
    req->owner = b;
    req->gone = on_gone;
    session_touch(ss);
    pump(b);
}

void batches_abandon(struct session *ss)
{
    while (!list_empty(&ss->batches)) {
        struct batch *b = list_entry(ss->batches.next, struct batch, in_session);
        if (b->out.n > 1) {
            respond(b);
            continue;
        }
        if (b->req) {
            b->req->gone = NULL;
            ss->s->hub->io->respond_error(b->req, HB_NOT_FOUND, HB_STR("this session has ended"), 0);
        }
        destroy(b);
    }
}
