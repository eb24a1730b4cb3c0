#include "room.h"
#include "script.h"

static bool is_page(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 && reply->elements % 3 == 2;
}

void page_ask(struct room *r, struct command *c, const hb_pos *since, bool newest, size_t limit, size_t max_bytes)
{
    char known[POS_TEXT_MAX], stream[KEY_MAX], last[KEY_MAX], from[POS_TEXT_MAX], n[24], bytes[24], age[24], keep[24];
    hb_pos nowhere = {UINT64_MAX, 0};
    const struct options *o = worker_options(r->w);
    hb_str words[] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_READ), SCRIPT_SHA - 1}, HB_STR("2"),
        worker_key(r->w, 's', room_name(r), stream), worker_key(r->w, 'l', room_name(r), last), {"", 0},
        text_positive((int64_t)limit, n), text_positive((int64_t)max_bytes, bytes), text_positive(r->keep.age_ms, age),
        text_positive(r->keep.age_ms + o->positions_ms, keep), room_known(r, known)};
    if (!newest)
        words[5] = (hb_str){from, pos_text(since ? *since : nowhere, from)};
    c->fits = is_page;
    pipe_send(&r->w->pipe, c, 11, words, ASK_MS);
}

bool page_parse(const redisReply *reply, struct page *out)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || reply->elements % 3 != 2)
        return false;
    const redisReply *ended = reply_at(reply, 1);
    *out = (struct page){.n = reply->elements / 3, .reply = reply,
        .ended = ended->type == REDIS_REPLY_INTEGER && ended->integer == 1};
    return pos_parse(reply_str(reply_at(reply, 0)), &out->head);
}

bool page_entry(const struct page *p, size_t i, struct entry *out)
{
    return pos_parse(reply_str(reply_at(p->reply, 2 + 3 * i)), &out->id) &&
        pos_parse(reply_str(reply_at(p->reply, 3 + 3 * i)), &out->prev) &&
        entry_parse(reply_str(reply_at(p->reply, 4 + 3 * i)), out);
}
