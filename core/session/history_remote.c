#include "session/history_remote.h"
#include "base/check.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/native.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4 * 1024 * 1024 };

struct question {
    struct home_req req;
    struct mail mail;      /* to the home's worker, and back */
    struct hub *hub;
    int back;
    hb_str since;
    struct buf messages;
    char cursor[CURSOR_TEXT_MAX];
    void (*done)(const struct history_result *result, void *arg);
    void *arg;
    char bytes[];
};

static void destroy(struct question *q)
{
    home_req_finish(&q->req);
    buf_finish(&q->messages);
    free(q);
}

static void discard(struct mail *mail)
{
    destroy(container_of(mail, struct question, mail));
}

static void on_answer(struct mail *mail, void *receiver)
{
    struct question *q = container_of(mail, struct question, mail);
    const struct history_result result = {.code = q->req.code, .members = q->req.members,
        .messages = buf_view(&q->messages), .cursor = str_of(q->cursor[0] ? q->cursor : NULL),
        .more = q->since.p && q->req.more, .recovered = q->req.recovered};
    q->done(&result, q->arg);
    destroy(q);
}

static void send_back(struct question *q)
{
    q->mail = (struct mail){.deliver = on_answer, .discard = discard};
    shard_post(q->hub, q->back, &q->mail);
}

/* Written here, on the home's worker: the messages stay where they are. */
static void on_read(struct home_req *req)
{
    struct question *q = container_of(req, struct question, req);
    if (!req->at) {
        destroy(q);
        return;
    }
    const struct config_room *rule = config_room_rule(req->at->config, req->room);
    buf_char(&q->messages, '[');
    for (size_t i = 0; i < req->n; i++) {
        hb_event ev;
        msg_event(req->messages[i], &ev);
        if (i > 0)
            buf_char(&q->messages, ',');
        native_encode(&ev, &q->messages);
    }
    buf_char(&q->messages, ']');
    if (req->code == HB_OK && rule && rule->history.messages > 0)
        cursor_write_one(req->room, req->pos, q->cursor, sizeof(q->cursor));
    if (q->messages.failed)
        req->code = HB_UNAVAILABLE;
    send_back(q);
}

/* A question must not bring a room into being. */
static hb_code may_ask(struct shard *s, struct question *q)
{
    if (!config_room_rule(s->config, q->req.room))
        return HB_NOT_FOUND;
    if (home_members(s, q->req.room) < 0 && s->hub->backend < 0)
        return HB_NOT_FOUND;
    if (q->since.p && cursor_find(q->since, q->req.room, &q->req.since) != 1)
        return HB_BAD_REQUEST;
    return HB_OK;
}

static void on_home(struct mail *mail, void *receiver)
{
    struct question *q = container_of(mail, struct question, mail);
    q->req.code = may_ask(receiver, q);
    if (q->req.code != HB_OK) {
        send_back(q);
        return;
    }
    q->req.has_since = q->since.p != NULL;
    home_send(receiver, &q->req);
}

void history_from_anywhere(struct hub *hub, hb_str room, hb_str since, size_t limit, int back,
    void (*done)(const struct history_result *result, void *arg), void *arg)
{
    struct question *q = mem_zalloc(sizeof(*q) + room.n + since.n + 1);
    memcpy(q->bytes, room.p, room.n);
    memcpy(q->bytes + room.n, since.p ? since.p : "", since.n);
    if (since.p)
        q->since = (hb_str){q->bytes + room.n, since.n};
    q->hub = hub;
    q->back = back;
    q->done = done;
    q->arg = arg;
    q->req = (struct home_req){.verb = HOME_READ, .room = {q->bytes, room.n}, .limit = limit,
        .max_bytes = PAGE_BYTES, .back = on_read};
    q->mail = (struct mail){.deliver = on_home, .discard = discard};
    shard_post(hub, home_worker(hub, q->req.room), &q->mail);
}
