#include "kept.h"
#include "script.h"
#include "worker.h"
#include <stdio.h>
#include <string.h>

enum { PAGE = 200 };

#define KEPT_MAX "100000"

/* Those that are over are removed a few at a time. For good: sorted by when they came, so that the oldest
 * of them goes first. ARGV prefix, for how many ms ('': for good), whose it is, the bytes → how many went
 * before their time */
const char script_keep[] =
    "local call, P, t = redis.call, ARGV[1], redis.call('TIME')\n"
    "local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000\n"
    "local key, gone = P .. ':x:kept', 0\n"
    "local over = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, 100)\n"
    "if #over > 0 then call('ZREM', key, unpack(over)) end\n"
    "local score = now + (ARGV[2] == '' and 4e15 or ARGV[2])\n"
    "if call('ZADD', key, 'NX', string.format('%.0f', score), ARGV[4]) == 0 then return 0 end\n"
    "local more = call('ZCARD', key) - " KEPT_MAX "\n"
    "if more > 0 then\n"
    "  gone = call('ZREM', key, unpack(call('ZRANGEBYSCORE', key, '-inf', '+inf', 'LIMIT', 0, math.min(more, 100))))\n"
    "end\n"
    "local count = call('INCR', P .. ':x:count')\n"
    "if count == 1 then\n"
    "  count = now * 1000\n"
    "  call('SET', P .. ':x:count', string.format('%.0f', count))\n"
    "end\n"
    "call('PUBLISH', P .. ':x:new', string.format('%.0f ', count) .. ARGV[3] .. ARGV[4])\n"
    "return gone\n";

/* From the last to end down, where only what ends first is ever taken away: a page skips none. ARGV
 * prefix, from which one on, how many → the count, how many of these there are, and those not over */
const char script_kept[] =
    "local P, t = ARGV[1], redis.call('TIME')\n"
    "local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000\n"
    "local from = tonumber(ARGV[2])\n"
    "local page = redis.call('ZREVRANGE', P .. ':x:kept', from, from + ARGV[3] - 1, 'WITHSCORES')\n"
    "local out = {redis.call('GET', P .. ':x:count') or '0', #page / 2}\n"
    "for i = 1, #page, 2 do\n"
    "  if tonumber(page[i + 1]) > now then out[#out + 1] = page[i] end\n"
    "end\n"
    "return out\n";

static uint64_t number_of(hb_str text)
{
    return text.p ? strtoull(text.p, NULL, 10) : 0; /* hiredis ends them with a NUL */
}

/* --- keeping --------------------------------------------------------------------------------------- */

struct keeping {
    struct command c;
    struct worker *w;
};

static bool is_number(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER;
}

static void tell_log(struct worker *w, const char *sentence)
{
    w->ctx->host->log(w->ctx, HB_LOG_WARN, "redis", sentence);
}

/* Not kept: whoever holds it in its own memory finds that out at the end of the next reading. */
static void on_keeping(struct command *c, const redisReply *reply)
{
    struct keeping *k = container_of(c, struct keeping, c);
    struct worker *w = k->w;
    if (!reply || reply_is_error(reply)) {
        tell_log(w, "an order for all nodes is not kept, as Redis did not take it in time");
        w->kept.wanted = true;
    } else if (reply->integer > 0) {
        tell_log(w, "more than " KEPT_MAX " orders and revocations are kept: those that end soonest are forgotten");
    }
    free(k);
}

void kept_cast(struct worker *w, hb_str bytes, int64_t until_ms)
{
    char span[24];
    hb_str whose = {(const char *)&w->nonce, 8}, for_ms = HB_STR("");
    int64_t left = until_ms > 0 ? until_ms - w->ctx->host->wall_ms() : 0;
    if (bytes.n > KEPT_BYTES_MAX || (until_ms && left <= 0))
        return;
    if (!pipe_has_room(&w->pipe, bytes.n)) {
        tell_log(w, "an order for all nodes is not kept, as the journal is full");
        w->kept.wanted = true;
        return;
    }
    if (until_ms)
        for_ms = text_decimal((uint64_t)left, span);
    struct keeping *k = mem_zalloc(sizeof(*k));
    k->c.done = on_keeping;
    k->c.fits = is_number;
    k->w = w;
    pipe_send(&w->pipe, &k->c, 7, (hb_str[]){HB_STR("EVALSHA"), {script_sha(SCRIPT_KEEP), SCRIPT_SHA - 1},
        HB_STR("0"), worker_prefix(w), for_ms, whose, bytes}, worker_options(w)->journal_ms);
}

/* --- live ------------------------------------------------------------------------------------------ */

hb_str kept_channel(const struct worker *w, char *out)
{
    return worker_key(w, 'x', HB_STR("new"), out);
}

void kept_push(struct worker *w, hb_str payload)
{
    hb_str count;
    if (!word_cut(&payload, &count))
        return;
    uint64_t n = number_of(count);
    if (n == w->kept.count + 1)
        w->kept.count = n;
    else if (n > w->kept.count)
        kept_want(w);
    worker_heard(w, payload);
}

/* --- reading it back ------------------------------------------------------------------------------- */

struct reading {
    struct command c;
    struct worker *w;
    uint64_t from;
};

static void ask_page(struct worker *w, uint64_t from);

static bool is_page(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 && reply->elements <= PAGE + 2 &&
        reply_str(reply_at(reply, 0)).p && is_number(reply_at(reply, 1));
}

static void on_page(struct command *c, const redisReply *reply)
{
    struct reading *r = container_of(c, struct reading, c);
    struct worker *w = r->w;
    uint64_t from = r->from;
    free(r);
    w->kept.reading = false;
    if (!reply || reply_is_error(reply)) {
        w->kept.wanted = true;
        return;
    }
    if (from == 0) {
        w->kept.count = number_of(reply_str(reply_at(reply, 0)));
        w->store->kept(w->ctx, false);
    }
    for (size_t i = 2; i < reply->elements; i++)
        if (reply_str(reply_at(reply, i)).p)
            w->store->heard(w->ctx, reply_str(reply_at(reply, i)));
    if (reply_at(reply, 1)->integer == PAGE) {
        ask_page(w, from + PAGE);
        return;
    }
    w->store->kept(w->ctx, true);
    kept_tick(w);
}

static void ask_page(struct worker *w, uint64_t from)
{
    char at[24], most[24];
    struct reading *r = mem_zalloc(sizeof(*r));
    *r = (struct reading){.c = {.done = on_page, .fits = is_page}, .w = w, .from = from};
    w->kept.reading = true;
    pipe_send(&w->pipe, &r->c, 6, (hb_str[]){HB_STR("EVALSHA"), {script_sha(SCRIPT_KEPT), SCRIPT_SHA - 1},
        HB_STR("0"), worker_prefix(w), text_decimal(from, at), text_decimal(PAGE, most)}, ASK_MS);
}

/* One that began before is no good when something was missed since. */
void kept_tick(struct worker *w)
{
    if (!w->kept.wanted || w->kept.reading || w->ctx->worker != 0 || !pipe_is_up(&w->pipe) || !sub_is_up(&w->sub))
        return;
    w->kept.wanted = false;
    w->kept.suspect = 0;
    ask_page(w, 0);
}

void kept_want(struct worker *w)
{
    w->kept.wanted = true;
    kept_tick(w);
}

/* --- a push that never came ------------------------------------------------------------------------ */

static void on_count(struct command *c, const redisReply *reply)
{
    struct reading *r = container_of(c, struct reading, c);
    struct worker *w = r->w;
    struct kept *k = &w->kept;
    free(r);
    k->checking = false;
    if (!reply || reply_is_error(reply))
        return;
    uint64_t now = number_of(reply_str(reply));
    bool still = k->suspect == k->count + 1; /* it may have been under way the first time */
    k->suspect = now == k->count ? 0 : k->count + 1;
    if (now != k->count && still)
        kept_want(w);
}

void kept_check(struct worker *w)
{
    char key[KEY_MAX];
    if (w->ctx->worker != 0 || w->kept.checking || w->kept.reading)
        return;
    struct reading *r = mem_zalloc(sizeof(*r));
    *r = (struct reading){.c = {.done = on_count}, .w = w};
    w->kept.checking = true;
    pipe_send(&w->pipe, &r->c, 2, (hb_str[]){HB_STR("GET"), worker_key(w, 'x', HB_STR("count"), key)}, ASK_MS);
}
