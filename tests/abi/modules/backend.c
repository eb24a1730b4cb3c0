/* A backend that is always away. */
#include <hubbub/backend.h>

static void away(hb_done *done)
{
    hb_result result = {.code = HB_UNAVAILABLE};
    done->fn(done, &result);
}

static void *room_open(const hb_ctx *ctx, hb_room *room, hb_str name, const hb_keep *keep)
{
    return room;
}

static void room_close(const hb_ctx *ctx, void *state)
{
}

static int64_t idle_ms(const hb_ctx *ctx, void *state)
{
    return 0;
}

static void interest(const hb_ctx *ctx, void *state, bool members)
{
}

static void publish(const hb_ctx *ctx, void *state, hb_message *message, const hb_key *key,
    hb_done *done)
{
    away(done);
}

static void lookup(const hb_ctx *ctx, void *state, const hb_key *key, hb_done *done)
{
    away(done);
}

static void position(const hb_ctx *ctx, void *state, hb_done *done)
{
    away(done);
}

static void read_page(const hb_ctx *ctx, void *state, const hb_pos *since, size_t limit,
    size_t max_bytes, hb_done *done)
{
    away(done);
}

static const hb_backend backend = {.size = sizeof backend, .room_open = room_open,
    .room_close = room_close, .idle_ms = idle_ms, .interest = interest, .publish = publish,
    .lookup = lookup, .position = position, .read = read_page};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE(NAME, "1.0"), .backend = &backend};
