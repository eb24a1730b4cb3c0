#include "session/publish.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include <stdlib.h>
#include <string.h>

struct publication {
    struct home_req req;
    struct mail mail;         /* to the home's worker, and back */
    struct hub *hub;
    int back;
    void (*done)(const struct publish_result *result, void *arg);
    void *arg;
    struct publish_result result;
    char key[];
};

static void destroy(struct publication *p)
{
    msg_unref(p->req.message);
    free(p);
}

static void on_answer(struct mail *mail, void *receiver)
{
    struct publication *p = container_of(mail, struct publication, mail);
    p->done(&p->result, p->arg);
    destroy(p);
}

static void discard(struct mail *mail)
{
    destroy(container_of(mail, struct publication, mail));
}

static void on_published(struct home_req *req)
{
    struct publication *p = container_of(req, struct publication, req);
    p->result.code = req->code;
    p->result.unknown = req->unknown;
    p->result.ts = req->ts;
    if (!p->done && req->code != HB_OK) /* a plugin's: nobody else would hear of it */
        log_write(LOG_WARN, "unpublished", "a message of a plugin was not published: %s", hb_code_names[req->code]);
    if (req->code == HB_OK && (req->duplicate || req->message->cursor.p))
        cursor_write_one(req->room, req->pos, p->result.cursor, sizeof(p->result.cursor));
    if (!p->done || !req->at) {
        destroy(p);
        return;
    }
    p->mail = (struct mail){.deliver = on_answer, .discard = discard};
    shard_post(p->hub, p->back, &p->mail);
}

static void on_home(struct mail *mail, void *receiver)
{
    struct publication *p = container_of(mail, struct publication, mail);
    struct shard *s = receiver;
    p->req.key.window_ms = s->config->limits.key_window_ms;
    home_send(s, &p->req);
}

void publish_from_anywhere(struct hub *hub, hb_str room, hb_str event, hb_str data, hb_str key, int back,
    void (*done)(const struct publish_result *result, void *arg), void *arg)
{
    struct publication *p = mem_zalloc(sizeof(*p) + key.n + 1);
    hb_message *m = msg_create(room, event, data.p ? data : HB_STR("null"), (hb_str){NULL, 0});
    p->hub = hub;
    p->back = back;
    p->done = done;
    p->arg = arg;
    p->result.code = HB_UNAVAILABLE;
    if (!m) {
        if (done)
            done(&p->result, arg);
        free(p);
        return;
    }
    m->server = true;
    m->received_us = clock_mono_us();
    p->req.verb = HOME_PUBLISH;
    p->req.message = m;
    p->req.room = m->room;
    p->req.back = on_published;
    if (key.p) {
        memcpy(p->key, key.p, key.n);
        p->req.key = (hb_key){.room = m->room, .scope = HB_STR("\nserver"), .key = {p->key, key.n},
            .digest = hash_stable(m->event) * 31 + hash_stable(m->data)};
    }
    p->mail = (struct mail){.deliver = on_home, .discard = discard};
    shard_post(hub, home_worker(hub, m->room), &p->mail);
}
