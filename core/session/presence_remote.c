/* Who is present, asked from another thread: to the room's home and back by mail. */
#include "base/check.h"
#include "session/presence.h"
#include <stdlib.h>
#include <string.h>

struct question {
    struct home_req req;
    struct home_presence p;
    struct mail mail;      /* to the home's worker, and back */
    struct hub *hub;
    int back;
    void (*done)(const struct presence_result *result, void *arg);
    void *arg;
    char room[];
};

static void destroy(struct question *q)
{
    home_req_finish(&q->req);
    free(q);
}

static void discard(struct mail *mail)
{
    destroy(container_of(mail, struct question, mail));
}

static void on_answer(struct mail *mail, void *receiver)
{
    struct question *q = container_of(mail, struct question, mail);
    struct presence_result result = {.code = q->req.code, .users = buf_view(&q->p.users),
        .count = q->p.count};
    q->done(&result, q->arg);
    destroy(q);
}

static void send_back(struct question *q)
{
    q->mail = (struct mail){.deliver = on_answer, .discard = discard};
    shard_post(q->hub, q->back, &q->mail);
}

static void on_listed(struct home_req *req)
{
    struct question *q = container_of(req, struct question, req);
    if (req->at)
        send_back(q);
    else
        destroy(q);
}

/* A room that nobody is in would come into being by the question; on other nodes there may be
 * members. */
static bool may_ask(struct shard *s, hb_str room)
{
    const struct config_room *rule = config_room_rule(s->config, room);
    return rule && rule->presence && (home_members(s, room) >= 0 || s->hub->backend >= 0);
}

static void on_home(struct mail *mail, void *receiver)
{
    struct question *q = container_of(mail, struct question, mail);
    if (may_ask(receiver, q->req.room)) {
        home_send(receiver, &q->req);
        return;
    }
    q->req.code = HB_NOT_FOUND;
    send_back(q);
}

void presence_from_anywhere(struct hub *hub, hb_str room, size_t limit, int back,
    void (*done)(const struct presence_result *result, void *arg), void *arg)
{
    struct question *q = mem_zalloc(sizeof(*q) + room.n + 1);
    memcpy(q->room, room.p, room.n);
    q->hub = hub;
    q->back = back;
    q->done = done;
    q->arg = arg;
    q->req = (struct home_req){.verb = HOME_PRESENCE_LIST, .room = {q->room, room.n},
        .limit = limit, .presence = &q->p, .back = on_listed};
    q->mail = (struct mail){.deliver = on_home, .discard = discard};
    shard_post(hub, home_worker(hub, q->req.room), &q->mail);
}
