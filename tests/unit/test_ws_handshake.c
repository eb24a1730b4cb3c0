#include "base/str.h"
#include "unit.h"
#include "common/handshake.h"

static struct handshake_request good(void)
{
    return (struct handshake_request){
        .method = HB_STR("GET"),
        .http_minor = 1,
        .upgrade = HB_STR("websocket"),
        .connection = HB_STR("Upgrade"),
        .version = HB_STR("13"),
        .key = HB_STR("dGhlIHNhbXBsZSBub25jZQ=="),
    };
}

static const char *why;

static enum handshake_result check(struct handshake_request r)
{
    why = NULL;
    return handshake_check(&r, &why);
}

TEST(the_example_of_the_rfc_is_accepted_with_its_answer)
{
    char accept[HANDSHAKE_ACCEPT_SIZE];
    CHECK_INT(check(good()), HANDSHAKE_OK);
    handshake_accept(good().key, accept);
    CHECK_STR(str_of(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    handshake_accept(HB_STR(" dGhlIHNhbXBsZSBub25jZQ==\t"), accept);
    CHECK_STR(str_of(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(tokens_are_found_in_lists_whatever_their_case)
{
    struct handshake_request r = good();
    r.connection = HB_STR("keep-alive , upgrade");
    r.upgrade = HB_STR("h2c, WebSocket");
    CHECK_INT(check(r), HANDSHAKE_OK);
}

TEST(other_methods_are_refused)
{
    struct handshake_request r = good();
    r.method = HB_STR("POST");
    CHECK_INT(check(r), HANDSHAKE_WRONG_METHOD);
    CHECK(why);
    r.method = HB_STR("get");
    CHECK_INT(check(r), HANDSHAKE_WRONG_METHOD);
}

TEST(without_an_upgrade_or_with_another_version_one_is_asked_for)
{
    struct handshake_request r = good();
    r.upgrade = (hb_str){NULL, 0};
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
    CHECK(!handshake_wanted(&r));
    r = good();
    r.upgrade = HB_STR("websockets");
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
    r = good();
    r.connection = HB_STR("keep-alive");
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
    r = good();
    r.version = HB_STR("8");
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
    r.version = (hb_str){NULL, 0};
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
    CHECK(handshake_wanted(&r));
    r = good();
    r.http_minor = 0;
    CHECK_INT(check(r), HANDSHAKE_NO_UPGRADE);
}

TEST(a_key_that_is_not_16_bytes_in_base64_is_refused)
{
    static const char *const bad[] = {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBs!SBub25jZQ==", "dGhlIHNhbXBs SBub25jZQ=="};
    struct handshake_request r = good();
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        r.key = str_of(bad[i]);
        CHECK_INT(check(r), HANDSHAKE_BAD);
        CHECK(why);
    }
    r.key = (hb_str){NULL, 0};
    CHECK_INT(check(r), HANDSHAKE_BAD);
}

TEST(the_subprotocol_is_chosen_only_when_offered)
{
    CHECK(handshake_subprotocol(HB_STR("chat, hubbub.v1")));
    CHECK(handshake_subprotocol(HB_STR("hubbub.v1,hubbub.bearer.abc")));
    CHECK(!handshake_subprotocol(HB_STR("Hubbub.V1, hubbub.v12")));
    CHECK(!handshake_subprotocol((hb_str){NULL, 0}));
}

TEST(a_token_may_be_brought_as_a_subprotocol)
{
    CHECK_STR(handshake_token(HB_STR("hubbub.v1, hubbub.bearer.eyJ.abc-_.x ,other")), "eyJ.abc-_.x");
    CHECK_STR(handshake_offer(HB_STR("hubbub.bearer.x , , chat, other")), "chat");
    CHECK(!handshake_offer(HB_STR("hubbub.bearer.x")).p);
    CHECK(!handshake_offer((hb_str){NULL, 0}).p);
    CHECK(!handshake_token(HB_STR("hubbub.v1, hubbub.bearer.")).p);
    CHECK(!handshake_token((hb_str){NULL, 0}).p);
}

#define ALONE "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

TEST(the_first_offer_of_compression_that_can_be_met_is_taken)
{
    static const char *const fits[] = {"permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=8; server_no_context_takeover",
        "permessage-deflate;client_max_window_bits=\"15\"",
        "permessage-deflate ; client_no_context_takeover",
        ("x-other; a=\",permessage-deflate\", permessage-deflate; server_max_window_bits=10, "
        "permessage-deflate")};
    for (size_t i = 0; i < sizeof(fits) / sizeof(*fits); i++)
        CHECK_STR(handshake_deflate(str_of(fits[i])), ALONE);
    CHECK_STR(handshake_deflate(HB_STR("permessage-deflate; server_max_window_bits=15")),
        ALONE "; server_max_window_bits=15");
}

TEST(offers_of_compression_that_cannot_be_met_are_declined)
{
    static const char *const unfit[] = {"", "x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08", "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "\"permessage-deflate", "permessage-deflate; =15"};
    for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++)
        CHECK(!handshake_deflate(str_of(unfit[i])).p);
    CHECK(!handshake_deflate((hb_str){NULL, 0}).p);
}
