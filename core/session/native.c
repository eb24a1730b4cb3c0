#include "session/native.h"
#include "base/json.h"
#include "base/metrics_core.h"
#include "base/str.h"
#include "base/utf8.h"
#include <string.h>

enum { ID_MAX_BYTES = 64 };

/* --- decoding --------------------------------------------------------------------------------- */

enum field {
    F_TYPE, F_ID, F_ROOM, F_EVENT, F_DATA, F_ECHO, F_KEY, F_SINCE, F_LIMIT, F_TOKEN, F_COUNT
};

static const char *const field_names[F_COUNT] = {
    "type", "id", "room", "event", "data", "echo", "key", "since", "limit", "token"};

static const struct {
    const char *name;
    hb_op_type type;
} op_names[] = {
    {"publish", HB_OP_PUBLISH}, {"join", HB_OP_JOIN}, {"leave", HB_OP_LEAVE},
    {"history", HB_OP_HISTORY}, {"presence", HB_OP_PRESENCE}, {"call", HB_OP_CALL},
    {"ping", HB_OP_PING}, {"auth", HB_OP_AUTH}, {"refresh", HB_OP_REFRESH},
};

struct fields {
    hb_str value[F_COUNT];
};

static int field_of(hb_str raw_key)
{
    for (int i = 0; i < F_COUNT; i++)
        if (json_key_eq(raw_key, str_of(field_names[i])))
            return i;
    return -1;
}

/* Keys that the protocol does not know must not come twice either. */
static bool seen_before(hb_str object, hb_str raw_key, const char *value_at)
{
    hb_str key, value;
    for (struct json_iter it = json_iter(object); json_next_field(&it, &key, &value);) {
        if (value.p == value_at)
            return false;
        if (json_keys_eq(key, raw_key))
            return true;
    }
    return false;
}

static const char *split(hb_str object, struct fields *f)
{
    hb_str key, value;
    memset(f, 0, sizeof(*f));
    unsigned n = 0;
    for (struct json_iter it = json_iter(object); json_next_field(&it, &key, &value); n++) {
        int i = field_of(key);
        if (n > 64)
            return "too many keys";
        if (i < 0 ? seen_before(object, key, value.p) : f->value[i].p != NULL)
            return "the same key twice";
        if (i >= 0)
            f->value[i] = value;
    }
    return NULL;
}

/* A string field; borrowed where it has no escapes. */
static bool string_field(hb_str value, struct native_scratch *scratch, hb_str *out)
{
    if (!value.p)
        return true;
    *out = json_string_plain(value);
    if (out->p)
        return true;
    if (scratch->text.n + value.n > scratch->text.cap)
        return false;
    size_t at = scratch->text.n;
    if (!json_string(value, &scratch->text))
        return false;
    *out = (hb_str){scratch->text.p + at, scratch->text.n - at};
    return true;
}

static bool id_string(hb_str value)
{
    hb_str plain = json_string_plain(value);
    if (plain.p)
        return utf8_name(plain, 0, ID_MAX_BYTES);
    struct buf text = BUF_INIT;
    bool ok = json_string(value, &text) && utf8_name(buf_view(&text), 0, ID_MAX_BYTES);
    buf_finish(&text);
    return ok;
}

/* Of any size within the bound: it goes back as it came. */
static bool id_integer(hb_str value)
{
    if (json_type(value) != JSON_NUMBER || value.n > ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (strchr(".eE", value.p[i]))
            return false;
    return true;
}

static bool id_field(hb_str value, hb_op *op)
{
    if (!value.p)
        return true;
    if (!id_string(value) && !id_integer(value))
        return false;
    op->id = value;
    op->wants_reply = true;
    return true;
}

static bool limit_field(hb_str value, int64_t *limit)
{
    return !value.p || (json_int(value, limit) && *limit != 0);
}

static bool echo_field(hb_str value, bool *no_echo)
{
    bool echo = true;
    if (value.p && !json_bool(value, &echo))
        return false;
    *no_echo = !echo;
    return true;
}

static hb_code decode_type(hb_str value, struct native_scratch *scratch, hb_op *op, const char **sentence)
{
    hb_str name = {NULL, 0};
    if (!value.p || !string_field(value, scratch, &name)) {
        *sentence = "an op has a type";
        return HB_BAD_REQUEST;
    }
    for (size_t i = 0; i < sizeof(op_names) / sizeof(op_names[0]); i++)
        if (str_eq(name, str_of(op_names[i].name)))
            op->type = op_names[i].type;
    if (op->type != HB_OP_NONE)
        return HB_OK;
    *sentence = "there is no op of this type";
    return HB_UNKNOWN_TYPE;
}

static const char *decode_fields(const struct fields *f, struct native_scratch *scratch, hb_op *op)
{
    if (!string_field(f->value[F_ROOM], scratch, &op->room))
        return "room is a string";
    if (!string_field(f->value[F_EVENT], scratch, &op->event))
        return "event is a string";
    if (!string_field(f->value[F_KEY], scratch, &op->key))
        return "key is a string";
    if (!string_field(f->value[F_SINCE], scratch, &op->since))
        return "since is a string";
    if (!string_field(f->value[F_TOKEN], scratch, &op->token))
        return "token is a string";
    if (!echo_field(f->value[F_ECHO], &op->no_echo))
        return "echo is true or false";
    if (!limit_field(f->value[F_LIMIT], &op->limit))
        return "limit is 1 to 1000";
    op->data = f->value[F_DATA];
    return NULL;
}

/* Whatever else is wrong with an op: who asked is answered. */
static hb_code bad_op(hb_str json, hb_op *op)
{
    if (json_type(json) == JSON_OBJECT)
        id_field(json_get(json, HB_STR("id")), op);
    return HB_BAD_REQUEST;
}

hb_code native_decode_checked(hb_str json, struct native_scratch *scratch, hb_op *op, const char **sentence)
{
    struct fields f;
    memset(op, 0, sizeof(*op));
    op->size = sizeof(*op);
    *sentence = "an op is a JSON object";
    if (json_type(json) != JSON_OBJECT)
        return HB_BAD_REQUEST;
    *sentence = split(json, &f);
    if (*sentence)
        return bad_op(json, op);
    buf_clear(&scratch->text);
    if (!buf_reserve(&scratch->text, json.n)) {
        *sentence = "out of memory";
        return HB_UNAVAILABLE;
    }
    if (!id_field(f.value[F_ID], op)) {
        *sentence = "id is an integer or a string, of at most 64 bytes without control characters";
        return HB_BAD_REQUEST;
    }
    hb_code code = decode_type(f.value[F_TYPE], scratch, op, sentence);
    if (code != HB_OK)
        return code;
    *sentence = decode_fields(&f, scratch, op);
    return *sentence ? HB_BAD_REQUEST : HB_OK;
}

hb_code native_decode(hb_str json, struct native_scratch *scratch, hb_op *op, const char **sentence)
{
    enum json_status status = json_check(json, NATIVE_DEPTH_MAX, NULL);
    json = str_trim(json);
    if (status == JSON_OK)
        return native_decode_checked(json, scratch, op, sentence);
    memset(op, 0, sizeof(*op));
    op->size = sizeof(*op);
    *sentence = status == JSON_TOO_DEEP ? "JSON nested too deep"
        : status == JSON_SURROGATE      ? "half of a surrogate pair"
                                        : "this is not JSON";
    return json_walkable(json) ? bad_op(json, op) : HB_BAD_REQUEST;
}

/* --- encoding --------------------------------------------------------------------------------- */

static void put_str(struct buf *b, const char *name, hb_str value)
{
    buf_lit(b, name);
    buf_json_str(b, value);
}

static void put_opt_str(struct buf *b, const char *name, hb_str value)
{
    if (value.p)
        put_str(b, name, value);
}

static void put_str_or_null(struct buf *b, const char *name, hb_str value)
{
    buf_lit(b, name);
    if (value.p)
        buf_json_str(b, value);
    else
        buf_lit(b, "null");
}

static void put_raw(struct buf *b, const char *name, hb_str json)
{
    if (!json.p)
        return;
    buf_lit(b, name);
    buf_str(b, json);
}

static void put_int(struct buf *b, const char *name, int64_t value)
{
    if (value < 0)
        return;
    buf_lit(b, name);
    buf_i64(b, value);
}

static void put_bool(struct buf *b, const char *name, int value)
{
    if (value < 0)
        return;
    buf_lit(b, name);
    buf_lit(b, value ? "true" : "false");
}

static void put_error(struct buf *b, const hb_event *ev)
{
    buf_lit(b, "\"error\":{\"code\":\"");
    buf_lit(b, hb_code_names[ev->code]);
    put_str(b, "\",\"message\":", ev->text.p ? ev->text : str_of(hb_code_names[ev->code]));
    put_int(b, ",\"retry_after\":", ev->retry_after_ms > 0 ? ev->retry_after_ms : -1);
    if (ev->same_key)
        buf_lit(b, ",\"retry\":\"same key\"");
    buf_char(b, '}');
}

static void encode_welcome(const hb_event *ev, struct buf *b)
{
    put_str(b, "{\"type\":\"welcome\",\"session\":", ev->session);
    put_str(b, ",\"ticket\":", ev->ticket);
    put_str_or_null(b, ",\"user\":", ev->user);
    put_str(b, ",\"node\":", ev->node);
    put_int(b, ",\"heartbeat\":", ev->heartbeat_ms);
    buf_char(b, '}');
}

static void encode_joined(const hb_event *ev, struct buf *b)
{
    put_str(b, "{\"type\":\"joined\",\"room\":", ev->room);
    if (ev->code != HB_OK) {
        buf_lit(b, ",\"ok\":false,");
        put_error(b, ev);
    }
    put_opt_str(b, ",\"cursor\":", ev->cursor);
    put_int(b, ",\"members\":", ev->members);
    put_bool(b, ",\"recovered\":", ev->recovered);
    buf_char(b, '}');
}

static void encode_reply(const hb_event *ev, struct buf *b)
{
    if (!ev->id.p)
        return;
    put_raw(b, "{\"type\":\"reply\",\"id\":", ev->id);
    if (ev->code != HB_OK) {
        buf_lit(b, ",\"ok\":false,");
        put_error(b, ev);
        buf_char(b, '}');
        return;
    }
    buf_lit(b, ",\"ok\":true");
    put_opt_str(b, ",\"cursor\":", ev->cursor);
    put_int(b, ",\"members\":", ev->members);
    put_bool(b, ",\"recovered\":", ev->recovered);
    put_int(b, ",\"ts\":", ev->ts);
    put_raw(b, ev->op == HB_OP_PRESENCE ? ",\"users\":" : ",\"messages\":", ev->list);
    put_int(b, ",\"count\":", ev->count);
    put_bool(b, ",\"more\":", ev->more);
    put_raw(b, ",\"data\":", ev->data);
    buf_char(b, '}');
}

static void encode_message(const hb_event *ev, struct buf *b)
{
    put_str_or_null(b, "{\"type\":\"message\",\"room\":", ev->room);
    put_str(b, ",\"event\":", ev->event);
    put_raw(b, ",\"data\":", ev->data);
    put_str_or_null(b, ",\"user\":", ev->user);
    put_int(b, ",\"ts\":", ev->ts);
    put_opt_str(b, ",\"cursor\":", ev->cursor);
    buf_char(b, '}');
}

static void encode_presence(const hb_event *ev, struct buf *b)
{
    put_str(b, "{\"type\":\"presence\",\"room\":", ev->room);
    put_str(b, ",\"event\":", ev->event);
    put_opt_str(b, ",\"user\":", ev->user);
    put_opt_str(b, ",\"session\":", ev->session);
    put_raw(b, ",\"data\":", ev->data);
    put_raw(b, ",\"users\":", ev->list);
    put_int(b, ",\"count\":", ev->count);
    buf_char(b, '}');
}

static void encode_bye(const hb_event *ev, struct buf *b)
{
    put_int(b, "{\"type\":\"bye\",\"code\":", ev->close_code);
    put_str(b, ",\"reason\":", ev->text);
    put_bool(b, ",\"reconnect\":", ev->reconnect);
    put_int(b, ",\"delay\":", ev->delay_ms);
    buf_char(b, '}');
}

void native_encode(const hb_event *ev, struct buf *out)
{
    switch (ev->kind) {
    case HB_EV_WELCOME:
        encode_welcome(ev, out);
        break;
    case HB_EV_JOINED:
        encode_joined(ev, out);
        break;
    case HB_EV_REPLY:
        encode_reply(ev, out);
        break;
    case HB_EV_ERROR:
        buf_lit(out, "{\"type\":\"error\",");
        put_error(out, ev);
        buf_char(out, '}');
        break;
    case HB_EV_MESSAGE:
        encode_message(ev, out);
        break;
    case HB_EV_PRESENCE:
        encode_presence(ev, out);
        break;
    case HB_EV_BYE:
        encode_bye(ev, out);
        break;
    default:
        break;
    }
}
