/*
 * What stands in Redis and how it is spoken: what is taken for an entry, a position or a push is what
 * would have been written; answers come out the same wherever they were cut.
 */
#include "../../plugins/redis/reply.h"
#include "../../plugins/redis/settings.h"
#include "../../plugins/redis/wire.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

enum { REPLIES_BYTES_MAX = 4096 };

static void check_position(hb_str s)
{
    char text[POS_TEXT_MAX];
    hb_pos pos, again;
    if (!pos_parse(s, &pos))
        return;
    size_t n = pos_text(pos, text);
    HOLDS(n < POS_TEXT_MAX && n <= s.n); /* leading zeros */
    HOLDS(pos_parse((hb_str){text, n}, &again) && pos_equal(pos, again));
}

static void check_entry(hb_str s)
{
    struct entry e;
    if (!entry_parse(s, &e))
        return;
    hb_message m = {.event = e.event, .user = e.user, .data = e.data, .server = e.server};
    char *bytes = malloc(entry_size(&m));
    HOLDS(!e.user.p || e.user.p + e.user.n == e.data.p);
    HOLDS(e.data.p + e.data.n == s.p + s.n);
    entry_write(&m, e.token, bytes);
    struct entry again;
    HOLDS(entry_parse((hb_str){bytes, entry_size(&m)}, &again));
    HOLDS(again.data.n == e.data.n && again.event.n == e.event.n && again.token.count == e.token.count);
    free(bytes);
}

/* So that the checksum is no wall: these bytes as an entry's content. */
static void check_written(hb_str s)
{
    char bytes[ENTRY_HEAD + 512];
    struct entry e;
    if (s.n < 3 || s.n > 512)
        return;
    size_t event = 1 + (unsigned char)s.p[0] % (s.n - 2), user = (unsigned char)s.p[1] % (s.n - 1 - event);
    if (event + user >= s.n || event > 256 || user > 256)
        return;
    hb_message m = {.event = {s.p, event}, .user = {s.p + event, user}, .data = {s.p + event + user, s.n - event - user}};
    entry_write(&m, (struct token){1, 2}, bytes);
    HOLDS(entry_parse((hb_str){bytes, entry_size(&m)}, &e) && e.event.n == event && e.user.n == user);
    HOLDS(memcmp(e.data.p, m.data.p, m.data.n) == 0);
}

/* A number for all that is in an answer. */
static uint64_t sum_of(const redisReply *r)
{
    uint64_t h = 17;
    if (!r)
        return h;
    h = h * 31 + (uint64_t)r->type;
    h = h * 31 + (uint64_t)r->integer;
    for (size_t i = 0; i < reply_str(r).n; i++)
        h = h * 31 + (unsigned char)r->str[i];
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
        h = h * 31 + sum_of(reply_at(r, i));
    if (reply_is_error(r))
        h += reply_is_away(r);
    return h;
}

/* All answers in these bytes, given in pieces of `piece`; `*ok`: none of them was none. */
static uint64_t read_all(hb_str s, size_t piece, bool *ok)
{
    struct replies *replies = replies_create();
    const redisReply *reply = NULL;
    uint64_t h = 0;
    *ok = true;
    for (size_t at = 0; *ok && at < s.n; at += piece) {
        *ok = replies_feed(replies, s.p + at, piece < s.n - at ? piece : s.n - at, REPLIES_BYTES_MAX);
        while (*ok && (*ok = replies_next(replies, &reply)) && reply)
            h = h * 1000003 + sum_of(reply);
    }
    replies_destroy(replies);
    return h;
}

static void check_replies(hb_str s)
{
    bool whole_ok, pieces_ok;
    if (s.n > REPLIES_BYTES_MAX)
        return;
    uint64_t whole = read_all(s, s.n, &whole_ok), pieces = read_all(s, 1 + (unsigned char)s.p[0] % 7, &pieces_ok);
    HOLDS(whole_ok == pieces_ok);
    HOLDS(!whole_ok || whole == pieces);
}

static void check_url(hb_str s)
{
    struct place place;
    struct login login;
    char *text = malloc(s.n + 1);
    HOLDS(text);
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (!url_parse(text, &place, &login)) {
        HOLDS(place.host[0] || place.path[0] == '/');
        HOLDS(place.path[0] || (place.port > 0 && place.port < 65536));
        HOLDS(login.db >= 0 && login.db < 65536);
    }
    place_parse(text, 26379, &place);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str s = {(const char *)data, size};
    struct entry e;
    if (!size)
        return 0;
    check_position(s);
    check_entry(s);
    check_written(s);
    hb_str rest = s;
    if (push_cut(&rest, &e))
        while (entry_cut(&rest, &e))
            HOLDS(e.data.p + e.data.n == rest.p && rest.p + rest.n == s.p + s.n);
    check_replies(s);
    check_url(s);
    return 0;
}
