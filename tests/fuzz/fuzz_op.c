/*
 * The op scanner on any bytes: what it accepts is within the protocol's bounds once op_check agrees,
 * every string lies in the input or the scratch, and what it encodes again is JSON. The same input
 * also goes through cursor parsing, which takes what clients send as `since`.
 */
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "router/op.h"
#include "session/native.h"

static void check_strings(const hb_op *op)
{
    const char *sentence;
    if (op_check(op, &sentence) != HB_OK)
        return;
    HOLDS(!op->room.p || utf8_valid(op->room));
    HOLDS(!op->event.p || (op->event.n <= 128 && utf8_valid(op->event)) || op->type != HB_OP_PUBLISH);
    HOLDS(!op->key.p || op->key.n <= 256);
    HOLDS(!op->data.p || json_check(op->data, 64, NULL) == JSON_OK);
    HOLDS(!op->id.p || json_check(op->id, 1, NULL) == JSON_OK);
}

/* A reply that carries what the client sent is JSON again. */
static void check_reply(const hb_op *op)
{
    struct buf out = BUF_INIT;
    hb_event ev;
    event_init(&ev, HB_EV_REPLY);
    ev.id = op->id;
    ev.code = HB_BAD_REQUEST;
    ev.text = op->room;
    native_encode(&ev, &out);
    HOLDS(!op->id.p || json_check(buf_view(&out), 64, NULL) == JSON_OK);
    buf_clear(&out);
    event_init(&ev, HB_EV_MESSAGE);
    ev.room = op->room;
    ev.event = op->event.p ? op->event : HB_STR("message");
    ev.data = op->data.p ? op->data : HB_STR("null");
    native_encode(&ev, &out);
    HOLDS(json_check(buf_view(&out), 66, NULL) == JSON_OK);
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct native_scratch scratch;
    hb_str text = {(const char *)data, size};
    const char *sentence;
    hb_op op;
    hb_pos pos;
    if (native_decode(text, &scratch, &op, &sentence) == HB_OK) {
        check_strings(&op);
        check_reply(&op);
        HOLDS(op.type != HB_OP_NONE);
    } else {
        HOLDS(sentence && *sentence);
        check_reply(&op);
    }
    cursor_find(text, HB_STR("lobby"), &pos);
    return 0;
}
