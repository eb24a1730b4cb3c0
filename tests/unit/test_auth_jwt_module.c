/* The module auth-jwt as a host sees it: hooks, late answers, warnings, reload, the token command.
 */
#include "../../plugins/auth-jwt/mint.h"
#include "auth_host.h"
#include "jwks_server.h"
#include "jwt_forge.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct setup with_secret(void)
{
    struct setup s = auth_host_defaults();
    s.secret = FORGE_SECRET;
    return s;
}

static const char *message(const struct auth_answer *a)
{
    return a->message;
}

static void check_refused(struct auth_answer a, hb_code code, const char *text)
{
    CHECK_INT(a.verdict, HB_DENY);
    CHECK_INT(a.code, code);
    CHECK_STR(forge_str(message(&a)), text);
}

static struct auth_answer connect_new(const char *token)
{
    return auth_host_connect(auth_host_session(), token, false);
}

/* ---- Connecting. */

TEST(a_good_token_says_who_it_is_and_what_it_may)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    struct auth_answer a =
        connect_new(forge_simple("{\"sub\":\"alice\",\"exp\":1700000100,\"iat\":1699999000,"
                                 "\"jti\":\"t1\",\"hubbub\":{\"join\":[\"*\"]}}"));
    CHECK_INT(a.verdict, HB_ALLOW);
    CHECK_STR(forge_str(a.user), "alice");
    CHECK_STR(forge_str(a.rights), "{\"join\":[\"*\"]}");
    CHECK_STR(forge_str(a.token_id), "t1");
    CHECK_INT(a.expires_at, 1700000100);
    CHECK_INT(a.issued_at, 1699999000);
    auth_host_stop();
}

TEST(a_token_without_exp_never_expires)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    struct auth_answer a = connect_new(forge_simple("{\"sub\":\"alice\"}"));
    CHECK_INT(a.verdict, HB_ALLOW);
    CHECK_INT(a.expires_at, 0);
    CHECK_STR(forge_str(a.rights), "-");
    CHECK(!auth.timer);
    auth_host_stop();
}

TEST(refusals_say_as_much_as_a_client_may_know)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    check_refused(connect_new(NULL), HB_UNAUTHORIZED, "Authentication required");
    check_refused(connect_new("nonsense"), HB_UNAUTHORIZED, "Invalid token");
    check_refused(connect_new(""), HB_UNAUTHORIZED, "Invalid token");
    check_refused(connect_new(forge_unsigned("{\"alg\":\"none\"}", "{\"sub\":\"a\"}")),
        HB_UNAUTHORIZED, "Invalid token");
    check_refused(connect_new(forge_simple("{\"sub\":\"alice\",\"exp\":1699999999}")),
        HB_TOKEN_EXPIRED, "Token expired");
    CHECK_INT(auth_host_failures("missing"), 1);
    CHECK_INT(auth_host_failures("malformed"), 2);
    CHECK_INT(auth_host_failures("algorithm"), 1);
    CHECK_INT(auth_host_failures("expired"), 1);
    CHECK_INT(auth_host_failures("unavailable"), 0);
    auth_host_stop();
}

TEST(who_brings_no_token_is_let_in_where_that_is_configured)
{
    struct setup s = with_secret();
    s.anonymous = true;
    CHECK(auth_host_start(&s));
    struct auth_answer a = connect_new(NULL);
    CHECK_INT(a.verdict, HB_ALLOW);
    CHECK_STR(forge_str(a.user), "-");
    check_refused(connect_new("nonsense"), HB_UNAUTHORIZED, "Invalid token");
    auth_host_stop();
}

TEST(a_remembered_token_is_refused_once_it_has_expired)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    const char *token = forge_simple("{\"sub\":\"alice\",\"exp\":1700000010}");
    CHECK_INT(connect_new(token).verdict, HB_ALLOW);
    CHECK_INT(connect_new(token).verdict, HB_ALLOW);
    auth.wall_ms += 10000;
    check_refused(connect_new(token), HB_TOKEN_EXPIRED, "Token expired");
    auth_host_stop();
}

TEST(a_remembered_token_is_refused_once_its_key_is_gone)
{
    struct setup s = with_secret(), other = with_secret();
    other.secret = "quite another secret, of 32 bytes or more";
    CHECK(auth_host_start(&s));
    const char *token = forge_simple("{\"sub\":\"alice\"}");
    CHECK_INT(connect_new(token).verdict, HB_ALLOW);
    auth_host_reload(&other);
    check_refused(connect_new(token), HB_UNAUTHORIZED, "Invalid token");
    auth_host_reload(&s);
    CHECK_INT(connect_new(token).verdict, HB_ALLOW);
    auth_host_stop();
}

/* ---- Warnings. */

static void fire_at(int64_t wall_ms)
{
    auth.wall_ms = wall_ms;
    hb_timer *t = auth.timer;
    CHECK(t);
    auth.timer = NULL;
    t->fire(&auth.worker, t);
}

TEST(a_session_is_told_before_its_token_expires)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    CHECK(auth.timer);
    CHECK_INT(auth.timer_ms, 240000);
    CHECK_STR(forge_str(session->emitted), "");
    fire_at(1700000240000);
    CHECK_STR(forge_str(session->emitted),
        "token-expiring {\"expires_at\":1700000300000,\"expires_in\":60000}");
    CHECK(!auth.timer);
    auth_host_stop();
}

TEST(a_refresh_moves_the_warning)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    CHECK_INT(
        auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000500}"), true)
            .verdict,
        HB_ALLOW);
    fire_at(1700000240000);
    CHECK_STR(forge_str(session->emitted), "");
    fire_at(1700000440000);
    CHECK_STR(forge_str(session->emitted),
        "token-expiring {\"expires_at\":1700000500000,\"expires_in\":60000}");
    auth_host_stop();
}

TEST(each_token_is_warned_of_once_however_often_it_is_brought)
{
    struct setup s = with_secret();
    const char *first = forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}");
    const char *second = forge_simple("{\"sub\":\"alice\",\"jti\":\"2\",\"exp\":1700000300}");
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, first, false);
    for (int i = 0; i < 100; i++)
        auth_host_bring(session, first);
    auth_host_connect(session, first, true);
    fire_at(1700000240000);
    CHECK_INT(session->n_emitted, 1);
    for (int i = 0; i < 100; i++)
        auth_host_bring(session, first);
    auth_host_connect(session, first, true);
    CHECK(!auth.timer);
    auth_host_connect(session, second, true);
    fire_at(1700000290000);
    CHECK_INT(session->n_emitted, 2);
    CHECK(!auth.timer);
    auth_host_stop();
}

TEST(a_token_that_is_only_brought_along_moves_no_warning)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    auth_host_bring(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700009000}"));
    fire_at(1700000240000);
    CHECK_INT(session->n_emitted, 1);
    auth_host_stop();
}

TEST(a_reload_changes_when_old_sessions_are_warned)
{
    struct setup s = with_secret(), never = s, late = s;
    never.expiry_warning_ms = 0;
    late.expiry_warning_ms = 10000;
    CHECK(auth_host_start(&never));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    fire_at(1700000100000);
    CHECK_INT(session->n_emitted, 0);
    auth_host_reload(&s);
    fire_at(1700000239000);
    CHECK_INT(session->n_emitted, 0);
    auth_host_reload(&late);
    fire_at(1700000280000);
    CHECK_INT(session->n_emitted, 0);
    fire_at(1700000290000);
    CHECK_INT(session->n_emitted, 1);
    auth_host_reload(&s);
    CHECK_INT(session->n_emitted, 1);
    auth_host_stop();
}

TEST(a_session_that_ended_is_told_nothing)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    session->gone = true;
    fire_at(1700000240000);
    CHECK_STR(forge_str(session->emitted), "");
    auth_host_stop();
}

TEST(a_warning_of_0_warns_nobody)
{
    struct setup s = with_secret();
    s.expiry_warning_ms = 0;
    CHECK(auth_host_start(&s));
    hb_session *session = auth_host_session();
    auth_host_connect(session, forge_simple("{\"sub\":\"alice\",\"exp\":1700000300}"), false);
    fire_at(1700000299000);
    CHECK_INT(session->n_emitted, 0);
    auth_host_stop();
}

/* ---- JWKS. */

static const char *signed_by(EVP_PKEY *pkey, const char *kid)
{
    return forge_signed("RS256", pkey, forge_text("{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid),
        forge_text("{\"sub\":\"alice\",\"jti\":\"%zu\"}", auth.n_sessions));
}

static const char *set_of(EVP_PKEY *pkey, const char *kid)
{
    return forge_text("{\"keys\":[%s]}", forge_jwk(pkey, forge_text("\"kid\":\"%s\",", kid)));
}

/* Replace it the way that a careful program does: a new file moved into place. */
static void write_file(const char *path, const char *text)
{
    const char *fresh = forge_text("%s.new", path);
    FILE *f = fopen(fresh, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0 && rename(fresh, path) == 0);
}

static const char *temporary(void)
{
    const char *path = forge_text("/tmp/hubbub-test-jwks-%d", (int)getpid());
    unlink(path);
    return path;
}

/* The verdict, waiting for it if it comes late. */
static hb_verdict connect_through(const char *token)
{
    struct auth_answer a = connect_new(token);
    if (a.verdict != HB_LATER)
        return a.verdict;
    CHECK(auth_host_run(auth.n_tickets));
    return auth.tickets[auth.n_tickets - 1].answer.verdict;
}

TEST(a_jwks_file_is_read_again_when_it_changes)
{
    struct setup s = auth_host_defaults();
    EVP_PKEY *old = forge_rsa(2048), *fresh = forge_rsa_other(2048);
    s.jwks.file = temporary();
    s.jwks.check_ms = 3600000; /* a token of an unknown key makes it look at once */
    write_file(s.jwks.file, set_of(old, "k1"));
    CHECK(auth_host_start(&s));
    CHECK_INT(connect_through(signed_by(old, "k1")), HB_ALLOW);
    write_file(s.jwks.file, set_of(fresh, "k2"));
    CHECK_INT(connect_through(signed_by(fresh, "k2")), HB_ALLOW);
    CHECK_INT(connect_through(signed_by(old, "k1")), HB_DENY);
    CHECK_INT(auth_host_failures("unknown_key"), 1);
    auth_host_stop();
    unlink(s.jwks.file);
}

TEST(a_jwks_file_is_looked_at_without_being_asked)
{
    struct setup s = auth_host_defaults();
    s.jwks.file = temporary();
    write_file(s.jwks.file, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    write_file(s.jwks.file, "{\"keys\":[]}");
    CHECK(auth_host_wait_log("0 keys"));
    auth_host_stop();
    unlink(s.jwks.file);
}

TEST(a_broken_or_missing_jwks_file_leaves_the_keys_in_force)
{
    struct setup s = auth_host_defaults();
    s.jwks.file = temporary();
    write_file(s.jwks.file, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    write_file(s.jwks.file, "{\"keys\":");
    CHECK(auth_host_wait_log("not JSON"));
    CHECK_INT(connect_through(signed_by(forge_rsa(2048), "k1")), HB_ALLOW);
    unlink(s.jwks.file);
    CHECK(auth_host_wait_log("No such file"));
    CHECK_INT(connect_through(signed_by(forge_rsa(2048), "k1")), HB_ALLOW);
    auth_host_stop();
}

static struct setup with_url(void)
{
    struct setup s = auth_host_defaults();
    jwks_server_start();
    s.jwks.url = jwks_server_url();
    return s;
}

static void stop_both(void)
{
    auth_host_stop();
    jwks_server_stop();
}

TEST(a_token_that_comes_before_the_first_fetch_is_over_waits_for_it)
{
    struct setup s = with_url();
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    jwks_server_hold(true);
    CHECK(auth_host_start(&s));
    CHECK(jwks_server_wait_hits(1));
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_LATER);
    CHECK_INT(connect_new(
                  forge_signed("RS256", forge_rsa(2048), "{\"alg\":\"RS256\"}", "{\"sub\":\"b\"}"))
                  .verdict,
        HB_LATER);
    jwks_server_hold(false);
    CHECK(auth_host_run(2));
    CHECK_INT(auth.tickets[0].answer.verdict, HB_ALLOW);
    CHECK_STR(forge_str(auth.tickets[0].answer.user), "alice");
    CHECK_INT(auth.tickets[1].answer.verdict, HB_ALLOW);
    stop_both();
}

TEST(keys_are_fetched_again_for_a_kid_that_nobody_knows)
{
    struct setup s = with_url();
    EVP_PKEY *old = forge_rsa(2048), *fresh = forge_rsa_other(2048);
    jwks_server_answer(200, set_of(old, "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    CHECK_INT(connect_new(signed_by(old, "k1")).verdict, HB_ALLOW);
    jwks_server_answer(200, set_of(fresh, "k2"));
    CHECK_INT(connect_through(signed_by(fresh, "k2")), HB_ALLOW);
    CHECK_INT(jwks_server_hits(), 2);
    CHECK_INT(connect_through(signed_by(old, "k1")), HB_DENY);
    stop_both();
}

TEST(a_flood_of_unknown_kids_fetches_a_few_times_only)
{
    struct setup s = with_url();
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    int refused = 0;
    for (int i = 0; i < 60; i++)
        refused += connect_through(signed_by(forge_rsa(2048), forge_text("x%d", i))) == HB_DENY;
    CHECK_INT(refused, 60);
    CHECK_INT(jwks_server_hits(), 6); /* the first, and the five that are saved up */
    CHECK_INT(auth_host_failures("unknown_key"), 60);
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_ALLOW);
    stop_both();
}

TEST(tokens_that_come_together_share_one_fetch)
{
    struct setup s = with_url();
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    jwks_server_hold(true);
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "x0")).verdict, HB_LATER);
    CHECK(jwks_server_wait_hits(2));
    for (int i = 1; i < 40; i++)
        CHECK_INT(connect_new(signed_by(forge_rsa(2048), forge_text("x%d", i))).verdict, HB_LATER);
    jwks_server_hold(false);
    CHECK(auth_host_run(40));
    CHECK_INT(jwks_server_hits(), 3); /* the one under way may have been too early for the others */
    stop_both();
}

static void check_bad_answer(int status, const char *body, int64_t size_max, const char *sentence)
{
    struct setup s = with_url();
    s.jwks.size_bytes = size_max;
    jwks_server_answer(status, body);
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log(sentence));
    CHECK_INT(connect_through(signed_by(forge_rsa(2048), "k1")), HB_DENY);
    check_refused(auth.tickets[auth.n_tickets - 1].answer, HB_UNAVAILABLE,
        "Tokens can't be verified at the moment");
    CHECK(auth.tickets[auth.n_tickets - 1].answer.retry_after_ms > 0);
    CHECK_INT(auth_host_failures("unavailable"), 1);
    stop_both();
}

TEST(without_keys_nobody_is_let_in_and_nobody_is_called_a_liar)
{
    const char *good = set_of(forge_rsa(2048), "k1");
    check_bad_answer(302, good, 262144, "redirects are not followed");
    check_bad_answer(500, good, 262144, "answers 500");
    check_bad_answer(200, "<html>", 262144, "not JSON");
    check_bad_answer(200, good, 100, "larger than 100 bytes");
    check_bad_answer(200, "", 262144, "empty");
}

TEST(a_url_that_fails_later_leaves_the_keys_in_force)
{
    struct setup s = with_url();
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    jwks_server_answer(500, "");
    CHECK_INT(connect_through(signed_by(forge_rsa(2048), "k9")), HB_DENY);
    check_refused(auth.tickets[0].answer, HB_UNAVAILABLE, "Tokens can't be verified at the moment");
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_ALLOW);
    stop_both();
}

TEST(an_hmac_with_a_fetched_public_key_is_refused)
{
    struct setup s = with_url();
    hb_str pem = forge_str(forge_public_pem(forge_rsa(2048)));
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    check_refused(connect_new(forge_hs(
                      "HS256", pem, "{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{\"sub\":\"a\"}")),
        HB_UNAUTHORIZED, "Invalid token");
    CHECK_INT(auth_host_failures("algorithm"), 1);
    stop_both();
}

TEST(a_reload_to_another_source_answers_who_waits_and_drops_the_old_keys)
{
    struct setup s = with_url(), secret = with_secret();
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    jwks_server_hold(true);
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k2")).verdict, HB_LATER);
    CHECK(jwks_server_wait_hits(2));
    auth_host_reload(&secret);
    CHECK_INT(auth.tickets[0].answer.verdict, HB_DENY);
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_DENY);
    CHECK_INT(connect_new(forge_simple("{\"sub\":\"alice\"}")).verdict, HB_ALLOW);
    stop_both();
}

TEST(a_reload_with_the_same_url_keeps_its_keys)
{
    struct setup s = with_url(), again = s;
    again.anonymous = true;
    jwks_server_answer(200, set_of(forge_rsa(2048), "k1"));
    CHECK(auth_host_start(&s));
    CHECK(auth_host_wait_log("1 keys"));
    jwks_server_hold(true);
    auth_host_reload(&again);
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_ALLOW);
    stop_both();
}

TEST(tickets_are_answered_when_the_server_stops)
{
    struct setup s = with_url();
    jwks_server_hold(true);
    CHECK(auth_host_start(&s));
    CHECK_INT(connect_new(signed_by(forge_rsa(2048), "k1")).verdict, HB_LATER);
    stop_both();
    CHECK_INT(auth.tickets[0].answer.verdict, HB_DENY);
}

/* ---- What is refused at the start. */

static void check_fault(const struct setup *s, const char *word)
{
    char error[512] = "";
    CHECK_INT(hubbub_module.check(&auth.host, s, error, sizeof(error)), -1);
    if (!strstr(error, word))
        unit_fail(__FILE__, __LINE__, "\"%s\" does not speak of %s", error, word);
}

TEST(options_that_do_not_go_together_are_explained)
{
    struct setup s = with_secret();
    const hb_str rs[] = {HB_STR("RS256")}, wrong[] = {HB_STR("HS257")};
    CHECK(auth_host_start(&s));
    auth_host_stop();

    s = auth_host_defaults();
    check_fault(&s, "no key");
    s.anonymous = true; /* guests need none */
    CHECK(auth_host_start(&s));
    auth_host_stop();
    s.secret = "too short";
    check_fault(&s, "secret: the secret has 9 bytes");
    s = with_secret();
    s.algorithms = (hb_strings){rs, 1};
    check_fault(&s, "algorithms");
    s.algorithms = (hb_strings){wrong, 1};
    check_fault(&s, "HS257");
    s = auth_host_defaults();
    s.jwks.url = "http://example.com/keys";
    check_fault(&s, "https");
    s.jwks.url = "http://127.0.0.1@example.com/keys";
    check_fault(&s, "user name");
    s.jwks.url = "file:///etc/passwd";
    check_fault(&s, "jwks.url");
    s = auth_host_defaults();
    s.jwks.file = "/nowhere/keys.json";
    check_fault(&s, "/nowhere/keys.json");
}

TEST(a_short_secret_passes_a_lenient_check)
{
    struct setup s = auth_host_defaults(), good = with_secret();
    char error[512] = "";
    CHECK(auth_host_start(&good));
    auth_host_stop();
    s.secret = "too short";
    auth.lenient = true;
    CHECK_INT(hubbub_module.check(&auth.host, &s, error, sizeof(error)), 0);
}

TEST(entries_of_keys_are_explained_by_number)
{
    struct setup s = with_secret();
    CHECK(auth_host_start(&s));
    auth_host_stop();
    struct setup_key entries[] = {
        {"a", "HS256", FORGE_SECRET, ""}, {"b", "RS256", FORGE_SECRET, ""}};
    s = auth_host_defaults();
    s.keys = (hb_list){entries, 2};
    check_fault(&s, "keys, entry 2: RS256 does not fit");
    entries[1] = (struct setup_key){"b", "", "", ""};
    check_fault(&s, "keys, entry 2: give either");
    entries[1] = (struct setup_key){"b", "XX", FORGE_SECRET, ""};
    check_fault(&s, "keys, entry 2: XX is none of");
}

/* ---- hubbub token. */

static char *mint(const struct setup *s, int64_t ttl_ms, const char *claim, char error[512])
{
    struct mint_request r = {.user = "alice",
        .ttl_ms = ttl_ms,
        .claims = &claim,
        .n_claims = claim ? 1 : 0,
        .now_ms = 1700000000000};
    error[0] = 0;
    return mint_token(s, &r, error, 512);
}

TEST(a_minted_token_is_a_good_one)
{
    struct setup s = with_secret();
    const hb_str names[] = {HB_STR("https://issuer"), HB_STR("b")};
    char error[512];
    s.issuer = s.audience = (hb_strings){names, 2};
    CHECK(auth_host_start(&s));
    char *token = mint(&s, 60000, "hubbub={\"join\":[\"news:*\"]}", error);
    CHECK(token);
    struct auth_answer a = connect_new(token);
    free(token);
    CHECK_INT(a.verdict, HB_ALLOW);
    CHECK_STR(forge_str(a.user), "alice");
    CHECK_STR(forge_str(a.rights), "{\"join\":[\"news:*\"]}");
    CHECK_INT(a.expires_at, 1700000060);
    CHECK_INT(a.issued_at, 1700000000);
    auth_host_stop();
}

TEST(without_a_key_to_sign_with_the_way_out_is_told)
{
    const hb_str names[] = {HB_STR("public.pem")};
    struct setup s = with_secret();
    char error[512];
    s.secret = "";
    CHECK(!mint(&s, 0, NULL, error) && strstr(error, "set JWT_SECRET") && strstr(error, "plugins.load"));
    s.public_key = (hb_strings){names, 1};
    CHECK(!mint(&s, 0, NULL, error) && strstr(error, "signing_key") && !strstr(error, "JWT_SECRET"));
}

TEST(a_claim_is_json_if_it_parses_else_a_string)
{
    struct setup s = with_secret();
    char error[512];
    CHECK(auth_host_start(&s));
    char *token = mint(&s, 0, "jti=not json", error);
    CHECK(token);
    CHECK_STR(forge_str(connect_new(token).token_id), "not json");
    free(token);
    token = mint(&s, 0, "exp=1700000005", error);
    CHECK(token);
    CHECK_INT(connect_new(token).expires_at, 1700000005);
    free(token);
    CHECK(!mint(&s, 0, "=x", error) && strstr(error, "key=value"));
    CHECK(!mint(&s, 0, "x", error) && strstr(error, "key=value"));
    auth_host_stop();
}

TEST(a_private_key_mints_for_its_public_half)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY *pkey = i < 3 ? forge_ec(curves[i]) : forge_rsa(2048);
        const char *private = forge_text("%s.private", temporary()), *public = temporary();
        hb_str names[] = {{public, strlen(public)}};
        struct setup s = auth_host_defaults();
        char error[512];
        write_file(private, forge_private_pem(pkey));
        write_file(public, forge_public_pem(pkey));
        s.public_key = (hb_strings){names, 1};
        CHECK(!mint(&s, 60000, NULL, error) && strstr(error, "signing_key"));
        s.signing_key = private;
        s.signing_kid = "k1";
        CHECK(auth_host_start(&s));
        char *token = mint(&s, 60000, NULL, error);
        CHECK(token);
        CHECK_INT(connect_new(token).verdict, HB_ALLOW);
        free(token);
        s.signing_algorithm = "HS256";
        CHECK(!mint(&s, 60000, NULL, error) && strstr(error, "HS256 does not fit"));
        auth_host_stop();
        unlink(private);
        unlink(public);
    }
}

TEST(durations_are_understood_or_refused)
{
    int64_t ms = -1;
    CHECK(mint_duration("90", &ms) && ms == 90000);
    CHECK(mint_duration("1h", &ms) && ms == 3600000);
    CHECK(mint_duration("1.5m", &ms) && ms == 90000);
    CHECK(mint_duration("500ms", &ms) && ms == 500);
    CHECK(mint_duration("2d", &ms) && ms == 172800000);
    CHECK(mint_duration("0", &ms) && ms == 0);
    CHECK(!mint_duration("", &ms) && !mint_duration("-1h", &ms) && !mint_duration("1 h", &ms));
    CHECK(!mint_duration("1y", &ms) && !mint_duration("nan", &ms) && !mint_duration("0x10", &ms));
}
