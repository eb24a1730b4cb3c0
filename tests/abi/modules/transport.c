/* A transport that claims nothing; without `encode` when the build says so. */
#include <hubbub/transport.h>

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    return false;
}

static void request(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *by)
{
    ctx->host->net->respond_error(req, HB_INTERNAL, HB_STR("nothing was claimed"), 0);
}

#ifndef WITHOUT_ENCODE
static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
}
#endif

static void closing(const hb_ctx *ctx, void *conn, int close_code, hb_str reason)
{
}

static void ended(const hb_ctx *ctx, void *conn)
{
}

static const hb_transport transport = {
    .size = sizeof transport,
    .variants = 1,
    .claim = claim,
    .request = request,
#ifndef WITHOUT_ENCODE
    .encode = encode,
#endif
    .close = closing,
    .ended = ended,
};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE(NAME, "1.0"), .transport = &transport};
