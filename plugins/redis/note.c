#include "note.h"
#include <string.h>

enum { NOTE_MS = 3000 };

struct note {
    struct command c;
    hb_done *done;
};

/* Tried once: repeated after its answer was lost, a put would bring back what another node has taken. */
static void ask(struct worker *w, bool (*fits)(const redisReply *), void (*answered)(struct command *, const redisReply *),
    hb_done *done, int n, const hb_str *words)
{
    struct note *note = mem_zalloc(sizeof(*note));
    note->done = done;
    note->c.done = answered;
    note->c.fits = fits;
    note->c.once = true;
    pipe_send(&w->pipe, &note->c, n, words, NOTE_MS);
}

static void finish(struct command *c, const redisReply *reply, hb_result *result)
{
    hb_done *done = container_of(c, struct note, c)->done;
    result->unknown = !reply && c->sent_us != 0;
    free(container_of(c, struct note, c));
    done->fn(done, result);
}

static bool is_status(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STATUS;
}

static bool is_value(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL;
}

static void on_put(struct command *c, const redisReply *reply)
{
    hb_result result = {.code = reply && is_status(reply) ? HB_OK : HB_UNAVAILABLE};
    finish(c, reply, &result);
}

static void on_taken(struct command *c, const redisReply *reply)
{
    hb_result result = {.code = reply ? HB_NOT_FOUND : HB_UNAVAILABLE};
    if (reply && reply->type == REDIS_REPLY_STRING && reply->len > 0 && (size_t)reply->len <= HB_NOTE_MAX) {
        result.code = HB_OK;
        result.note = reply_str(reply);
    }
    finish(c, reply, &result);
}

void note_put(struct worker *w, hb_str name, hb_str bytes, int64_t ttl_ms, hb_done *done)
{
    char key[KEY_MAX], ttl[24];
    hb_result full = {.code = HB_UNAVAILABLE};
    if (pipe_has_room(&w->pipe, bytes.n))
        ask(w, is_status, on_put, done, 5, (hb_str[]){HB_STR("SET"), worker_key(w, 'm', name, key), bytes, HB_STR("PX"),
            text_decimal((uint64_t)ttl_ms, ttl)});
    else
        done->fn(done, &full);
}

/* An empty value takes its place for a moment: what GETDEL does, with no right to a further command. */
void note_take(struct worker *w, hb_str name, hb_done *done)
{
    char key[KEY_MAX];
    ask(w, is_value, on_taken, done, 6, (hb_str[]){HB_STR("SET"), worker_key(w, 'm', name, key), {"", 0}, HB_STR("GET"),
        HB_STR("PX"), HB_STR("1")});
}
