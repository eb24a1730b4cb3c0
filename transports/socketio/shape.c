#include "shape.h"
#include "jtext.h"

/* The arguments from `it` on, as one value. */
static void put_value(struct jtext_iter it, struct bytes *out)
{
    hb_str first, more;
    struct jtext_iter rest = it;
    if (jtext_item(&rest, &first) && jtext_kind(first) != '[' && !jtext_item(&rest, &more)) {
        bytes_str(out, first);
        return;
    }
    bytes_char(out, '[');
    for (bool any = false; jtext_item(&it, &more); any = true) {
        if (any)
            bytes_char(out, ',');
        bytes_str(out, more);
    }
    bytes_char(out, ']');
}

void shape_value(hb_str packet, struct bytes *out)
{
    struct jtext_iter it = jtext_iter(packet);
    hb_str name;
    jtext_item(&it, &name);
    put_value(it, out);
}

void shape_answer(hb_str arguments, struct bytes *out)
{
    put_value(jtext_iter(arguments), out);
}

bool shape_arguments(hb_str value, struct bytes *out)
{
    if (jtext_kind(value) != '[') {
        bytes_str(out, value);
        return true;
    }
    struct jtext_iter it = jtext_iter(value);
    bool any = false;
    for (hb_str item; jtext_item(&it, &item); any = true) {
        if (any)
            bytes_char(out, ',');
        bytes_str(out, item);
    }
    return any;
}

static bool is_servers(const struct shape_names *names, hb_str raw_key)
{
    return jtext_key_is(raw_key, names->room) || jtext_key_is(raw_key, names->user) ||
        jtext_key_is(raw_key, names->ts);
}

static void put_field(struct bytes *out, hb_str raw_key, hb_str value)
{
    bytes_char(out, '"');
    bytes_str(out, raw_key);
    BYTES_LIT(out, "\":");
    bytes_str(out, value);
}

void shape_publish(const struct shape_names *names, hb_str object, struct shape_publish *p,
    struct bytes *out)
{
    struct jtext_iter it = jtext_iter(object);
    hb_str key, value;
    bool any = false;
    *p = (struct shape_publish){{NULL, 0}, {NULL, 0}};
    bytes_char(out, '{');
    while (jtext_field(&it, &key, &value)) {
        if (jtext_key_is(key, names->room))
            p->room = value;
        if (names->key.n > 0 && jtext_key_is(key, names->key))
            p->key = value;
        if (is_servers(names, key))
            continue;
        if (any)
            bytes_char(out, ',');
        put_field(out, key, value);
        any = true;
    }
    bytes_char(out, '}');
}

static void put_name(struct bytes *out, hb_str name)
{
    bytes_json_str(out, name);
    bytes_char(out, ':');
}

static void put_string_or_null(struct bytes *out, hb_str s)
{
    if (s.p)
        bytes_json_str(out, s);
    else
        BYTES_LIT(out, "null");
}

void shape_message(const struct shape_names *names, hb_str user, int64_t ts, hb_str room, hb_str data,
    struct bytes *out)
{
    bytes_char(out, '{');
    put_name(out, names->user);
    put_string_or_null(out, user);
    bytes_char(out, ',');
    put_name(out, names->ts);
    bytes_u64(out, ts > 0 ? (uint64_t)ts : 0);
    bytes_char(out, ',');
    put_name(out, names->room);
    bytes_json_str(out, room);
    if (jtext_kind(data) == '{') {
        struct jtext_iter it = jtext_iter(data);
        hb_str key, value;
        while (jtext_field(&it, &key, &value)) {
            if (is_servers(names, key))
                continue;
            bytes_char(out, ',');
            put_field(out, key, value);
        }
    } else {
        bytes_char(out, ',');
        put_name(out, names->data);
        bytes_str(out, data);
    }
    bytes_char(out, '}');
}

void shape_member(const struct shape_names *names, hb_str user, hb_str room, struct bytes *out)
{
    bytes_char(out, '{');
    put_name(out, names->user);
    put_string_or_null(out, user);
    bytes_char(out, ',');
    put_name(out, names->room);
    bytes_json_str(out, room);
    bytes_char(out, '}');
}
