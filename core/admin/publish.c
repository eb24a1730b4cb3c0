/* POST /api/v1/publish: all entries are checked before any is published; answers in their order. */
#include "admin/admin.h"
#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "conf/config.h"
#include "session/publish.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 + 2, ENTRIES_MAX = 1000, NAME_BYTES = 128, KEY_BYTES = 256 };

struct entry {
    struct publishing *of;
    struct buf room, event, key;
    hb_str data;                 /* in of->body */
    bool has_key;
    struct publish_result result;
};

struct publishing {
    struct shard *control;
    hb_request *req;             /* NULL: its client went away */
    bool array;
    size_t n, left;
    struct entry *entries;
    char fault[128];             /* why an entry is bad; "" */
    size_t n_body;
    char body[];
};

static void destroy(struct publishing *p)
{
    for (size_t i = 0; i < p->n; i++) {
        buf_finish(&p->entries[i].room);
        buf_finish(&p->entries[i].event);
        buf_finish(&p->entries[i].key);
    }
    free(p->entries);
    free(p);
}

static void put_cursor(struct buf *out, const struct entry *e)
{
    buf_lit(out, "{\"cursor\":");
    if (e->result.cursor[0])
        buf_json_str(out, str_of(e->result.cursor));
    else
        buf_lit(out, "null");
    buf_char(out, '}');
}

static void answer(struct publishing *p)
{
    struct admin_call call = {.control = p->control, .req = p->req};
    struct buf out = BUF_INIT;
    hb_code worst = HB_OK;
    for (size_t i = 0; i < p->n && worst == HB_OK; i++)
        worst = p->entries[i].result.code;
    if (!p->req) {
        destroy(p);
        return;
    }
    p->req->gone = NULL;
    if (worst == HB_CONFLICT) {
        admin_error(&call, worst, "this key was used with another event or data");
    } else if (worst != HB_OK) {
        admin_error(&call, worst, "the message could not be stored now; retry with the same key");
    } else {
        buf_lit(&out, p->array ? "[" : "");
        for (size_t i = 0; i < p->n; i++) {
            buf_lit(&out, i > 0 ? "," : "");
            put_cursor(&out, &p->entries[i]);
        }
        buf_lit(&out, p->array ? "]\n" : "\n");
        admin_json(&call, 200, buf_view(&out));
    }
    buf_finish(&out);
    destroy(p);
}

static void on_published(const struct publish_result *result, void *arg)
{
    struct entry *e = arg;
    e->result = *result;
    if (--e->of->left == 0)
        answer(e->of);
}

static void on_gone(hb_request *req)
{
    ((struct publishing *)req->owner)->req = NULL;
}

/* --- checking ---------------------------------------------------------------------------------- */

static bool fault(struct publishing *p, size_t i, const char *sentence)
{
    if (p->array)
        snprintf(p->fault, sizeof(p->fault), "entry %zu: %s", i, sentence);
    else
        snprintf(p->fault, sizeof(p->fault), "%s", sentence);
    return false;
}

/* The room, or "@user" for a user. */
static bool read_target(struct publishing *p, size_t i, hb_str object, struct buf *room)
{
    hb_str name = json_get(object, HB_STR("room")), user = json_get(object, HB_STR("user"));
    if (!name.p == !user.p)
        return fault(p, i, "name either a room or a user");
    if (user.p)
        buf_char(room, '@');
    if (!json_string(name.p ? name : user, room))
        return fault(p, i, "room and user are strings");
    hb_str plain = user.p ? str_sub(buf_view(room), 1, SIZE_MAX) : buf_view(room);
    if (!utf8_name(plain, 1, NAME_BYTES + (name.p && plain.n && plain.p[0] == '@')))
        return fault(p, i, "a room or user is 1 to 128 bytes of UTF-8 without control characters");
    if (!config_room_rule(p->control->config, buf_view(room)))
        return fault(p, i, "no rule of the configuration matches this room");
    return true;
}

static bool read_name(struct publishing *p, size_t i, hb_str value, const char *what, size_t max, struct buf *out)
{
    char sentence[80];
    if (json_string(value, out) && utf8_name(buf_view(out), 1, max))
        return true;
    snprintf(sentence, sizeof(sentence), "%s is 1 to %zu bytes of UTF-8 without control characters", what, max);
    return fault(p, i, sentence);
}

static bool known_keys_only(struct publishing *p, size_t i, hb_str object)
{
    static const char *const known[] = {"room", "user", "event", "data", "key"};
    bool seen[5] = {false};
    hb_str key, value;
    for (struct json_iter it = json_iter(object); json_next_field(&it, &key, &value);) {
        int at = 4;
        while (at >= 0 && !json_key_eq(key, str_of(known[at])))
            at--;
        if (at < 0)
            return fault(p, i, "the keys are room or user, event, data and key");
        if (seen[at])
            return fault(p, i, "the same key twice");
        seen[at] = true;
    }
    return true;
}

static bool read_entry(struct publishing *p, size_t i, hb_str object)
{
    struct entry *e = &p->entries[i];
    e->of = p;
    if (json_type(object) != JSON_OBJECT)
        return fault(p, i, "a publication is an object");
    if (!known_keys_only(p, i, object) || !read_target(p, i, object, &e->room))
        return false;
    hb_str event = json_get(object, HB_STR("event")), key = json_get(object, HB_STR("key"));
    e->data = json_get(object, HB_STR("data"));
    e->has_key = key.p != NULL;
    if (!event.p)
        buf_lit(&e->event, "message");
    else if (!read_name(p, i, event, "event", NAME_BYTES, &e->event))
        return false;
    return !key.p || read_name(p, i, key, "key", KEY_BYTES, &e->key);
}

static bool read_all(struct publishing *p)
{
    hb_str body = {p->body, p->n_body}, item;
    if (json_check(body, DEPTH_MAX, NULL) != JSON_OK)
        return fault(p, 0, "the body is not JSON");
    p->array = json_type(body) == JSON_ARRAY;
    if (!p->array) {
        p->entries = mem_zalloc(sizeof(struct entry));
        p->n = 1;
        return read_entry(p, 0, body);
    }
    size_t count = 0;
    for (struct json_iter it = json_iter(body); json_next_item(&it, &item);)
        count++;
    if (count > ENTRIES_MAX)
        return fault(p, ENTRIES_MAX, "at most 1000 entries at once");
    p->entries = mem_zalloc((count + 1) * sizeof(struct entry));
    for (struct json_iter it = json_iter(body); json_next_item(&it, &item); p->n++) {
        if (!read_entry(p, p->n, item)) {
            p->n++;
            return false;
        }
    }
    return true;
}

static void send_all(struct publishing *p)
{
    struct shard *s = p->control;
    p->req->owner = p;
    p->req->gone = on_gone;
    p->left = p->n;
    if (p->n == 0) {
        answer(p);
        return;
    }
    for (size_t i = 0, n = p->n; i < n; i++) {
        struct entry *e = &p->entries[i];
        publish_from_anywhere(s->hub, buf_view(&e->room), buf_view(&e->event), e->data,
            e->has_key ? buf_view(&e->key) : (hb_str){NULL, 0}, s->index, on_published, e);
    }
}

void admin_publish(struct admin_call *call)
{
    hb_str body = str_trim(call->req->body);
    struct publishing *p = mem_try_alloc(sizeof(*p) + body.n);
    if (!p) {
        admin_error(call, HB_UNAVAILABLE, "out of memory");
        return;
    }
    memset(p, 0, sizeof(*p));
    p->control = call->control;
    p->req = call->req;
    p->n_body = body.n;
    memcpy(p->body, body.p ? body.p : "", body.n);
    if (read_all(p)) {
        send_all(p);
        return;
    }
    admin_error(call, HB_BAD_REQUEST, p->fault);
    destroy(p);
}
