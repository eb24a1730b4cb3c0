#include "router/op.h"
#include "base/check.h"
#include "base/str.h"
#include "base/utf8.h"
#include "out/msg.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128, KEY_MAX_BYTES = 256, LIMIT_MAX = 1000 };

struct op *op_create(struct shard *s, hb_sid sid, const hb_op *f, enum op_origin origin)
{
    size_t n = f->id.n + f->room.n + f->event.n + f->data.n + f->key.n + f->since.n + f->token.n + f->space.n + 8;
    struct op *op = mem_try_alloc(sizeof(*op) + n);
    if (!op)
        return NULL;
    memset(op, 0, sizeof(*op));
    list_init(&op->link);
    op->s = s;
    op->sid = sid;
    op->origin = origin;
    op->f = *f;
    char *at = op->bytes;
    op->f.id = str_put_z(&at, f->id);
    op->f.room = str_put_z(&at, f->room);
    op->f.event = str_put_z(&at, f->event);
    op->f.data = str_put_z(&at, f->data);
    op->f.key = str_put_z(&at, f->key);
    op->f.since = str_put_z(&at, f->since);
    op->f.token = str_put_z(&at, f->token);
    op->f.space = str_put_z(&at, f->space);
    return op;
}

void op_free(struct op *op)
{
    if (!op)
        return;
    chain_finish(&op->chain);
    home_req_finish(&op->req);
    free(op->req.presence); /* of a join */
    msg_unref(op->req.message);
    free(op->scope);
    free(op);
}

static bool is_reserved_event(hb_str event)
{
    static const char *const reserved[] = {"connect", "connect_error", "disconnect", "disconnecting",
        "newListener", "removeListener", "user-joined", "user-left"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (str_eq(event, str_of(reserved[i])))
            return true;
    return false;
}

bool op_room_name(hb_str room)
{
    return utf8_name(room, 1, NAME_MAX_BYTES) && room.p[0] != '@';
}

static bool is_any_room(hb_str room)
{
    return utf8_name(room, 1, room.n > 0 && room.p[0] == '@' ? NAME_MAX_BYTES + 1 : NAME_MAX_BYTES);
}

static bool needs_room(hb_op_type type)
{
    return type == HB_OP_JOIN || type == HB_OP_LEAVE || type == HB_OP_PUBLISH ||
        type == HB_OP_PRESENCE || type == HB_OP_HISTORY;
}

static bool has_event(hb_op_type type)
{
    return type == HB_OP_PUBLISH || type == HB_OP_CALL;
}

hb_code op_check(const hb_op *f, const char **sentence)
{
    *sentence = NULL;
    if (needs_room(f->type) && !f->room.p)
        *sentence = "this op needs a room";
    else if (needs_room(f->type) && !is_any_room(f->room))
        *sentence = "a room is named by 1 to 128 bytes of UTF-8 without control characters";
    else if (f->type == HB_OP_CALL && !f->event.p)
        *sentence = "a call needs an event";
    else if (has_event(f->type) && f->event.p && !utf8_name(f->event, 1, NAME_MAX_BYTES))
        *sentence = "an event is named by 1 to 128 bytes of UTF-8 without control characters";
    else if (has_event(f->type) && f->event.p && is_reserved_event(f->event))
        *sentence = "this event name is reserved";
    else if (f->key.p && !utf8_name(f->key, 1, KEY_MAX_BYTES))
        *sentence = "a key is 1 to 256 bytes of UTF-8 without control characters";
    else if ((f->type == HB_OP_AUTH || f->type == HB_OP_REFRESH) && !f->token.p)
        *sentence = "this op needs a token";
    else if (f->type == HB_OP_HISTORY && (f->limit < 0 || f->limit > LIMIT_MAX))
        *sentence = "limit is 1 to 1000";
    return *sentence ? HB_BAD_REQUEST : HB_OK;
}
