#include "packet.h"
#include "jtext.h"
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at the front, at most 18: more than any counter of a client's. */
static bool take_number(hb_str *rest, uint64_t *out)
{
    size_t n = 0;
    *out = 0;
    while (n < rest->n && n < 19 && is_digit(rest->p[n]))
        *out = *out * 10 + (uint64_t)(rest->p[n++] - '0');
    rest->p += n;
    rest->n -= n;
    return n > 0 && n < 19;
}

static void skip(hb_str *rest, size_t n)
{
    rest->p += n;
    rest->n -= n;
}

static bool take_attachments(hb_str *rest, struct packet *out)
{
    uint64_t n;
    if (out->type != PACKET_BINARY_EVENT && out->type != PACKET_BINARY_ACK)
        return true;
    if (!take_number(rest, &n) || n < 1 || n > PACKET_ATTACHMENTS_MAX || !rest->n ||
        *rest->p != '-')
        return false;
    out->attachments = (unsigned)n;
    skip(rest, 1);
    return true;
}

static void take_space(hb_str *rest, struct packet *out)
{
    out->space = HB_STR("/");
    if (!rest->n || *rest->p != '/')
        return;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    out->space = (hb_str){rest->p, n};
    skip(rest, comma ? n + 1 : n);
}

/* `is` compares a name with a plain one. */
static bool is_reserved(hb_str name, bool (*is)(hb_str name, hb_str plain))
{
    static const hb_str reserved[] = {
        {"connect", 7},
        {"connect_error", 13},
        {"disconnect", 10},
        {"disconnecting", 13},
        {"newListener", 11},
        {"removeListener", 14},
    };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (is(name, reserved[i]))
            return true;
    return false;
}

bool packet_is_reserved(hb_str event)
{
    return is_reserved(event, str_same);
}

static bool fits_event(struct packet *out)
{
    if (jtext_kind(out->data) != '[')
        return false;
    struct jtext_iter it = jtext_iter(out->data);
    if (!jtext_item(&it, &out->name))
        return false;
    char kind = jtext_kind(out->name);
    hb_str raw = {out->name.p + 1, out->name.n - 2};
    return kind == '0' || (kind == '"' && !is_reserved(raw, jtext_key_is));
}

/* Is the payload what this type carries? */
static bool fits(struct packet *out)
{
    switch (out->type) {
    case PACKET_CONNECT:
        return !out->data.p || jtext_kind(out->data) == '{';
    case PACKET_DISCONNECT:
        return !out->data.p;
    case PACKET_EVENT:
    case PACKET_BINARY_EVENT:
        return out->data.p && fits_event(out);
    case PACKET_ACK:
    case PACKET_BINARY_ACK:
        return !out->data.p ||
               jtext_kind(out->data) == '['; /* without an id, or arguments: of nothing */
    default:
        return false; /* CONNECT_ERROR is the server's */
    }
}

bool packet_parse(hb_str text, struct packet *out)
{
    hb_str rest = text;
    memset(out, 0, sizeof(*out));
    if (!rest.n || *rest.p < '0' || *rest.p > '6')
        return false;
    out->type = (enum packet_type)(*rest.p - '0');
    skip(&rest, 1);
    if (!take_attachments(&rest, out))
        return false;
    take_space(&rest, out);
    if (rest.n && is_digit(*rest.p)) {
        out->has_id = true;
        if (!take_number(&rest, &out->id))
            return false;
    }
    if (rest.n) {
        enum jtext_status status = jtext_check(rest, PACKET_DEPTH_MAX);
        if (status == JTEXT_TOO_DEEP)
            status = jtext_check(rest, JTEXT_DEPTH_MAX) == JTEXT_OK ? status : JTEXT_SYNTAX;
        if (status == JTEXT_SYNTAX)
            return false;
        out->refused = status == JTEXT_TOO_DEEP;
        out->halves = status == JTEXT_SURROGATE;
        out->data = rest;
    }
    return fits(out);
}

void packet_head(struct bytes *out, enum packet_type type, unsigned attachments, hb_str space,
    const uint64_t *id)
{
    bytes_char(out, (char)('0' + type));
    if (attachments > 0) {
        bytes_u64(out, attachments);
        bytes_char(out, '-');
    }
    if (space.n > 1) {
        bytes_str(out, space);
        bytes_char(out, ',');
    }
    if (id)
        bytes_u64(out, *id);
}
