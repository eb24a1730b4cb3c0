/*
 * Socket.IO packets: what is taken for one lies within its text, holds what the core takes for JSON,
 * has no reserved name, and comes out the same when it is written again. And the JSON text under it:
 * the same texts are JSON as for the core, and walking them hands out JSON.
 */
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "socketio/jtext.h"
#include "socketio/packet.h"
#include "socketio/shape.h"
#include <string.h>

static bool lies_in(hb_str part, hb_str whole)
{
    return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void same_string(hb_str value)
{
    struct buf wanted = BUF_INIT;
    struct bytes got = BYTES_INIT, quoted = BYTES_INIT;
    HOLDS(jtext_string(value, &got) && utf8_valid(bytes_view(&got)));
    HOLDS(json_string(value, &wanted) && str_same(buf_view(&wanted), bytes_view(&got)));
    bytes_json_str(&quoted, bytes_view(&got));
    HOLDS(jtext_check(bytes_view(&quoted), 0) == JTEXT_OK);
    HOLDS(jtext_key_is((hb_str){value.p + 1, value.n - 2}, bytes_view(&got)));
    buf_finish(&wanted);
    bytes_finish(&got);
    bytes_finish(&quoted);
}

/* At most JTEXT_DEPTH_MAX deep. */
static void walk(hb_str value, enum jtext_status of_all)
{
    struct jtext_iter it = jtext_iter(value);
    char kind = jtext_kind(value);
    hb_str key, item;
    enum jtext_status status = jtext_check(value, JTEXT_DEPTH_MAX);
    HOLDS(status == JTEXT_OK || status == of_all);
    if (kind == '"' && status == JTEXT_OK)
        same_string(value);
    while (kind == '{' && jtext_field(&it, &key, &item))
        walk(item, of_all);
    while (kind == '[' && jtext_item(&it, &item))
        walk(item, of_all);
}

static void check_json(hb_str text)
{
    enum jtext_status ours = jtext_check(text, 64);
    enum json_status theirs = json_check(text, 64, NULL);
    HOLDS((ours == JTEXT_OK) == (theirs == JSON_OK));
    if (ours != JTEXT_OK && ours != JTEXT_SURROGATE)
        return;
    while (text.n > 0 && strchr(" \t\r\n", *text.p))
        text = (hb_str){text.p + 1, text.n - 1};
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
        text.n--;
    walk(text, ours);
}

static void check_name(const struct packet *p)
{
    static const char *const reserved[] = {"connect", "connect_error", "disconnect", "disconnecting",
        "newListener", "removeListener"};
    struct bytes name = BYTES_INIT;
    HOLDS(lies_in(p->name, p->data) && p->name.n > 0);
    if (jtext_string(p->name, &name))
        for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
            HOLDS(!str_same(bytes_view(&name), (hb_str){reserved[i], strlen(reserved[i])}));
    bytes_finish(&name);
}

static void check_again(const struct packet *p)
{
    struct packet again;
    struct bytes text = BYTES_INIT;
    packet_head(&text, p->type, p->attachments, p->space, p->has_id ? &p->id : NULL);
    bytes_str(&text, p->data);
    HOLDS(packet_parse(bytes_view(&text), &again));
    HOLDS(again.type == p->type && again.attachments == p->attachments && str_same(again.space, p->space));
    HOLDS(again.has_id == p->has_id && again.id == p->id && again.refused == p->refused && again.halves == p->halves);
    HOLDS(!again.data.p == !p->data.p && str_same(again.data, p->data) && str_same(again.name, p->name));
    bytes_finish(&text);
}

static void check_shapes(hb_str data)
{
    static const struct shape_names names = {{"roomId", 6}, {"userId", 6}, {"ts", 2}, {"data", 4}, {"key", 3}};
    struct bytes out = BYTES_INIT;
    struct shape_publish fields;
    struct jtext_iter it = jtext_iter(data);
    hb_str name, first;
    shape_value(data, &out);
    HOLDS(jtext_check(bytes_view(&out), 64) == JTEXT_OK);
    jtext_item(&it, &name);
    if (jtext_item(&it, &first) && jtext_kind(first) == '{') {
        bytes_clear(&out);
        shape_publish(&names, first, &fields, &out);
        HOLDS(jtext_check(bytes_view(&out), 64) == JTEXT_OK);
        HOLDS(!jtext_get(bytes_view(&out), names.room).p && !jtext_get(bytes_view(&out), names.user).p);
        first = bytes_view(&out);
    }
    struct bytes message = BYTES_INIT;
    shape_message(&names, HB_STR("a\"b"), 17, HB_STR("r"), bytes_view(&out), &message);
    HOLDS(jtext_check(bytes_view(&message), 65) == JTEXT_OK);
    HOLDS(str_same(jtext_get(bytes_view(&message), names.user), HB_STR("\"a\\\"b\"")));
    HOLDS(str_same(jtext_get(bytes_view(&message), names.ts), HB_STR("17")));
    bytes_finish(&message);
    bytes_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_str text = {(const char *)data, size};
    struct packet p;
    if (!utf8_valid(text)) /* refused before it comes here */
        return 0;
    check_json(text);
    if (!packet_parse(text, &p))
        return 0;
    bool binary = p.type == PACKET_BINARY_EVENT || p.type == PACKET_BINARY_ACK;
    HOLDS(p.type <= PACKET_BINARY_ACK && p.type != PACKET_CONNECT_ERROR);
    HOLDS(binary == (p.attachments > 0) && p.attachments <= PACKET_ATTACHMENTS_MAX);
    HOLDS(p.space.n > 0 && p.space.p[0] == '/' && lies_in(p.data, text));
    HOLDS(!p.data.p || (p.refused || p.halves) == (json_check(p.data, PACKET_DEPTH_MAX, NULL) != JSON_OK));
    if (p.type == PACKET_EVENT || p.type == PACKET_BINARY_EVENT)
        check_name(&p);
    check_again(&p);
    if (!p.refused && !p.halves && p.type == PACKET_EVENT)
        check_shapes(p.data);
    return 0;
}
