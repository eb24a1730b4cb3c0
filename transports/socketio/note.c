#include "note.h"
#include "../common/utf8.h"
#include "jtext.h"
#include "space.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 3, ROOMS_MAX = 1024, TEXT_MAX = 256 };

/* ---- writing ---- */

static void put_field(struct bytes *out, const char *key, hb_str value)
{
    bytes_str(out, str_of(key));
    bytes_json_str(out, value);
}

static void put_place(struct bytes *out, const struct place *p)
{
    bytes_char(out, '[');
    bytes_json_str(out, place_room(p));
    bytes_char(out, ',');
    bytes_json_str(out, place_cursor(p));
    bytes_str(out, p->granted ? HB_STR(",true]") : HB_STR(",false]"));
}

void note_write(const struct socket *s, struct bytes *out)
{
    put_field(out, "{\"v\":1,\"space\":", socket_space(s));
    put_field(out, ",\"sid\":", str_of(s->sid));
    if (s->rest->user.p)
        put_field(out, ",\"user\":", s->rest->user);
    if (s->stale) { /* as text: JSON's numbers are no 64 bits wide */
        BYTES_LIT(out, ",\"stale\":\"");
        bytes_u64(out, s->stale);
        bytes_char(out, '"');
    }
    if (s->rest->own)
        put_field(out, ",\"own\":", place_cursor(s->rest->own));
    BYTES_LIT(out, ",\"rooms\":[");
    for (const struct place *p = s->places; p; p = p->next) {
        put_place(out, p);
        if (p->next)
            bytes_char(out, ',');
    }
    BYTES_LIT(out, "]}");
}

/* ---- reading ---- */

/* A string's text, in place of what stood in `out`. */
static bool text_of(hb_str value, size_t least, size_t most, struct bytes *out)
{
    bytes_clear(out);
    return value.p && jtext_string(value, out) && !out->failed && out->n >= least && out->n <= most;
}

static bool is_sid(hb_str text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || !strchr(allowed, text.p[i]))
            return false;
    return text.n > 0;
}

/* [room, cursor, granted] */
static bool take_place(hb_str list, struct place **places)
{
    struct bytes room = BYTES_INIT, cursor = BYTES_INIT;
    hb_str value[4];
    size_t n = 0;
    bool ok = jtext_kind(list) == '[';
    struct jtext_iter it = jtext_iter(list);
    while (ok && n < 4 && jtext_item(&it, &value[n]))
        n++;
    ok = ok && n == 3 && text_of(value[0], 1, TEXT_MAX, &room) && text_of(value[1], 0, TEXT_MAX, &cursor) &&
        (jtext_kind(value[2]) == 't' || jtext_kind(value[2]) == 'f') && !place_find(places, bytes_view(&room)) &&
        place_add(places, bytes_view(&room), bytes_view(&cursor), jtext_kind(value[2]) == 't');
    bytes_finish(&room);
    bytes_finish(&cursor);
    return ok;
}

static bool take_rooms(hb_str list, struct place **places)
{
    hb_str value;
    if (!list.p || jtext_kind(list) != '[')
        return false;
    struct jtext_iter it = jtext_iter(list);
    for (size_t n = 0; jtext_item(&it, &value); n++)
        if (n == ROOMS_MAX || !take_place(value, places))
            return false;
    return true;
}

static bool take_stale(hb_str value, uint64_t *out, struct bytes *text)
{
    if (!value.p)
        return true;
    if (!text_of(value, 1, 20, text))
        return false;
    for (size_t i = 0; i < text->n; i++) {
        unsigned digit = (unsigned char)text->p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(*out, (uint64_t)10, out) || __builtin_add_overflow(*out, digit, out))
            return false;
    }
    return true;
}

/* Only a user has a room of his own. */
static bool take_rest(hb_str json, struct socket *s, struct bytes *text)
{
    struct bytes own = BYTES_INIT;
    hb_str user = jtext_get(json, HB_STR("user")), at = jtext_get(json, HB_STR("own")), absent = {NULL, 0};
    bool ok = (!user.p || text_of(user, 1, TEXT_MAX, text)) &&
        (!at.p || (user.p && text_of(at, 0, TEXT_MAX, &own))) &&
        socket_keep(s, user.p ? bytes_view(text) : absent, at.p ? bytes_view(&own) : absent);
    bytes_finish(&own);
    return ok;
}

static bool fill(hb_str json, struct socket *s, struct bytes *text)
{
    if (!text_of(jtext_get(json, HB_STR("sid")), 1, SOCKET_SID, text) || !is_sid(bytes_view(text)))
        return false;
    memcpy(s->sid, text->p, text->n); /* the rest of it is zero */
    return take_stale(jtext_get(json, HB_STR("stale")), &s->stale, text) &&
        take_rooms(jtext_get(json, HB_STR("rooms")), &s->places) && take_rest(json, s, text);
}

static bool is_ours(hb_str json)
{
    return utf8_check(UTF8_START, json.p, json.n) == UTF8_START && jtext_check(json, DEPTH) == JTEXT_OK &&
        jtext_kind(json) == '{' && str_same(jtext_get(json, HB_STR("v")), HB_STR("1"));
}

struct socket *note_read(hb_str json, const char *pid)
{
    struct bytes text = BYTES_INIT;
    struct socket *s = NULL;
    if (is_ours(json) && text_of(jtext_get(json, HB_STR("space")), 1, SPACE_MAX, &text) && text.p[0] == '/')
        s = socket_create(bytes_view(&text));
    if (s && !fill(json, s, &text)) {
        socket_free(s);
        s = NULL;
    }
    if (s) {
        memcpy(s->pid, pid, sizeof(s->pid));
        s->state = SOCKET_CONNECTED;
    }
    bytes_finish(&text);
    return s;
}
