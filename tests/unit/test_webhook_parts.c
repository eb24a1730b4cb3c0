/* The plugin webhook, its pure parts: JSON, signatures, answers, who is there, what waits. */
#include "../../plugins/webhook/answer.h"
#include "../../plugins/webhook/peek.h"
#include "../../plugins/webhook/ledger.h"
#include "../../plugins/webhook/remember.h"
#include "../../plugins/webhook/setup.h"
#include "../../plugins/webhook/tally.h"
#include "../../plugins/webhook/text.h"
#include "base/json.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hb_str str(const char *s)
{
    return (hb_str){s, s ? strlen(s) : 0};
}

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* ---- JSON. */

TEST(members_are_cut_out_byte_for_byte)
{
    hb_str text = str(" {\"a\" : 1.10 ,\"data\":{\"n\":1e400,\"n\":-0, "
                      "\"s\":\"}\\\"\"}\n,\"b\":[1,2],\"a\":null} ");
    CHECK(peek_check(text));
    CHECK(peek_is_object(text));
    CHECK_STR(peek_member(text, "data"), "{\"n\":1e400,\"n\":-0, \"s\":\"}\\\"\"}");
    CHECK_STR(peek_member(text, "b"), "[1,2]");
    CHECK_STR(peek_member(text, "a"), "null");
    CHECK(!peek_member(text, "n").p);
    CHECK(!peek_member(str("[1]"), "a").p);
    CHECK(!peek_member(str("{}"), "a").p);
}

TEST(strings_lose_their_escapes)
{
    char buf[64];
    CHECK_STR(
        peek_string(str("\"a\\u00fc\\ud83d\\ude00\\n\\\"\\/\""), buf, sizeof(buf)), "aü😀\n\"/");
    CHECK_STR(peek_string(str("\"\""), buf, sizeof(buf)), "");
    CHECK(!peek_string(str("12"), buf, sizeof(buf)).p);
    CHECK(!peek_string(str("\"12345\""), buf, 4).p);
    CHECK_STR(peek_string(str("\"1234\""), buf, 4), "1234");
}

TEST(integers_are_read_and_nothing_else)
{
    int64_t n = 7;
    CHECK(peek_integer(str("-1700000000"), &n));
    CHECK_INT(n, -1700000000);
    CHECK(!peek_integer(str("1.5"), &n) && !peek_integer(str("1e3"), &n) &&
          !peek_integer(str("\"1\""), &n));
    CHECK(!peek_integer(str("1234567890123456789"), &n));
    CHECK(!peek_integer((hb_str){NULL, 0}, &n));
    CHECK_INT(n, -1700000000);
}

TEST(depth_is_bounded)
{
    char deep[400];
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    CHECK(peek_check((hb_str){deep, 128}));
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    CHECK(!peek_check((hb_str){deep, 130}));
    memset(deep, '[', sizeof(deep));
    CHECK(!peek_check((hb_str){deep, sizeof(deep)}));
}

/* Bytes at random, likely to be nearly JSON: the core's own check is the oracle. */
TEST(what_is_json_is_what_the_core_takes_for_json)
{
    static const char *const pieces[] = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\"",
        "\"\\ud800\"", "\"\\ud83d\\ude00\"", "1", "-0", "01", "1.5", "1.", "1e5", "1e", "true",
        "fals", "null", " ", "\n", "\"", "\\", "\xc3\xa9", "\"\xc3\"", "\"\xed\xa0\x80\"",
        "\"\xf0\x9f\x98\x80\"", "\"\xc0\x80\"", "\"\t\"", "\"x\\q\"", "\"\xf4\x90\x80\x80\""};
    char text[128];
    for (int i = 0; i < 400000; i++) {
        size_t n = 0;
        for (uint64_t k = random_below(7) + 1; k > 0; k--) {
            const char *piece = pieces[random_below(sizeof(pieces) / sizeof(*pieces))];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        if (peek_check((hb_str){text, n}) !=
            (json_check((hb_str){text, n}, PEEK_DEPTH_MAX, NULL) == JSON_OK))
            unit_fail(__FILE__, __LINE__, "differs: %.*s", (int)n, text);
    }
}

TEST(what_is_written_is_json_whatever_the_bytes)
{
    char bytes[32], back[256];
    for (int i = 0; i < 20000; i++) {
        struct text t = TEXT_INIT;
        size_t n = random_below(sizeof(bytes));
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)random_below(256);
        text_lit(&t, "{");
        text_put(&t, "x", (hb_str){bytes, n});
        text_put(&t, "none", (hb_str){NULL, 0});
        text_put_int(&t, "n", -5);
        text_lit(&t, "}");
        CHECK(peek_check((hb_str){t.p, t.n}));
        CHECK(peek_string(peek_member((hb_str){t.p, t.n}, "x"), back, sizeof(back)).p);
        CHECK(peek_is_null(peek_member((hb_str){t.p, t.n}, "none")));
        text_finish(&t);
    }
}

TEST(utf8_is_written_as_it_is)
{
    struct text t = TEXT_INIT;
    text_string(&t, str("aü😀\"\\\n\xff"));
    CHECK_STR(((hb_str){t.p, t.n}), "\"aü😀\\\"\\\\\\u000a\\u00ff\"");
    text_finish(&t);
}

/* ---- Signatures. */

static hb_strings list(const hb_str *items, size_t n)
{
    return (hb_strings){items, n};
}

TEST(a_body_is_signed_as_standard_webhooks_say)
{
    hb_str one[] = {
        str("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), str("0123456789abcdef0123456789abcdef")};
    hb_strings secrets = list(one, 2);
    struct sign_keys keys;
    char error[128], out[SIGN_MAX];
    CHECK(sign_read(&secrets, false, &keys, error, sizeof(error)));
    CHECK_INT(keys.items[0].n, 24);
    sign_body(
        &keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, str("{\"test\": 2432232314}"), out);
    /* the specification's example; openssl's command line says the same of both */
    CHECK_STR(str(out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
                        "v1,hK4CWvngkaAwjY1pABLuUbOIkEJjW9tAapq1no4ojG0=");
}

TEST(weak_or_broken_secrets_are_refused_and_not_shown)
{
    static const char *const bad[] = {"tiny1", "whsec_", "whsec_????", "whsec_YWJj", ""};
    struct sign_keys keys;
    char error[128];
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        hb_str one = str(bad[i]);
        hb_strings secrets = list(&one, 1);
        CHECK(!sign_read(&secrets, false, &keys, error, sizeof(error)));
        CHECK(!*bad[i] || !strstr(error, bad[i]) || strcmp(bad[i], "whsec_") == 0);
    }
    hb_str one = str("short");
    hb_strings secrets = list(&one, 1), none = list(NULL, 0);
    CHECK(sign_read(&secrets, true, &keys, error, sizeof(error)));
    CHECK(!sign_read(&none, true, &keys, error, sizeof(error)));
}

TEST(ids_are_never_the_same)
{
    char a[SIGN_ID_MAX], b[SIGN_ID_MAX];
    sign_id(a);
    sign_id(b);
    CHECK_INT(strlen(a), 36);
    CHECK(strcmp(a, b) != 0);
}

/* ---- Answers. */

static struct answer answer;

static bool reads(enum kind kind, int status, const char *body)
{
    static char kept[4096];
    snprintf(kept, sizeof(kept), "%s", body);
    return answer_read(kind, status, str(kept), &answer);
}

static void check_denied(
    enum kind kind, int status, const char *body, hb_code code, const char *message)
{
    CHECK(reads(kind, status, body));
    CHECK_INT(answer.verdict, HB_DENY);
    CHECK_INT(answer.out.code, code);
    if (message)
        CHECK_STR(answer.out.message, message);
    else
        CHECK(!answer.out.message.p);
}

TEST(no_content_is_no_opinion)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        CHECK(reads((enum kind)kind, 204, "") && answer.verdict == HB_NEXT);
        CHECK(reads((enum kind)kind, 200, " \n") && answer.verdict == HB_NEXT);
        CHECK(reads((enum kind)kind, 200, "{}") && answer.verdict == HB_NEXT);
        CHECK(reads((enum kind)kind, 200, "{\"allow\":null}") && answer.verdict == HB_NEXT);
    }
}

TEST(an_answer_to_connect_says_who_it_is)
{
    CHECK(reads(KIND_CONNECT, 200,
        "{\"allow\":true,\"user\":\"al\\u00fc\",\"rights\":{\"join\":[\"*\"]},"
        "\"expires_at\":1700000000,\"issued_at\":1,\"token_id\":\"t1\"}"));
    CHECK_INT(answer.verdict, HB_ALLOW);
    CHECK_STR(answer.out.user, "alü");
    CHECK_STR(answer.out.rights, "{\"join\":[\"*\"]}");
    CHECK_STR(answer.out.token_id, "t1");
    CHECK_INT(answer.out.expires_at, 1700000000);
    CHECK_INT(answer.out.issued_at, 1);
    CHECK(reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":null}"));
    CHECK(!answer.out.user.p);
}

TEST(an_answer_to_connect_that_makes_no_sense_is_a_fault)
{
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":7}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"\"}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"@alice\"}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"a\\nb\"}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"a\\u0085b\"}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"expires_at\":1700000000000}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"expires_at\":9223372036854775807}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"expires_at\":-1}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"alice\",\"rights\":\"all\"}"));
    CHECK(!reads(
        KIND_CONNECT, 200, "{\"allow\":true,\"user\":\"alice\",\"expires_at\":\"tomorrow\"}"));
    CHECK(!reads(KIND_CONNECT, 200, "{\"allow\":\"yes\"}"));
    char longer[400];
    snprintf(longer, sizeof(longer), "{\"allow\":true,\"user\":\"%0129d\"}", 1);
    CHECK(!reads(KIND_CONNECT, 200, longer));
}

TEST(a_refusal_has_a_code_and_a_sentence)
{
    check_denied(KIND_JOIN, 200, "{\"allow\":false}", HB_OK, NULL);
    check_denied(KIND_JOIN, 200, "{\"error\":{\"code\":\"room_full\",\"message\":\"Full\"}}",
        HB_ROOM_FULL, "Full");
    check_denied(KIND_JOIN, 200, "{\"allow\":true,\"error\":{\"code\":\"no_such_code\"}}",
        HB_FORBIDDEN, NULL);
    check_denied(
        KIND_CALL, 200, "{\"data\":1,\"error\":{\"code\":\"conflict\"}}", HB_CONFLICT, NULL);
    check_denied(KIND_JOIN, 200, "{\"error\":{\"code\":\"too_many_rooms\"}}", HB_TOO_MANY_ROOMS, NULL);
    check_denied(KIND_JOIN, 200, "{\"error\":{\"code\":\"ok\"}}", HB_FORBIDDEN, NULL);
    check_denied(KIND_CONNECT, 401, "", HB_UNAUTHORIZED, NULL);
    check_denied(KIND_CONNECT, 401, "<html>", HB_UNAUTHORIZED, NULL);
    check_denied(KIND_PUBLISH, 403, "{\"error\":{\"message\":\"No\"}}", HB_FORBIDDEN, "No");
    check_denied(KIND_CALL, 200, "{\"error\":{\"code\":\"rate_limited\",\"retry_after\":1500}}",
        HB_RATE_LIMITED, NULL);
    CHECK_INT(answer.out.retry_after_ms, 1500);
}

TEST(data_come_through_as_they_are)
{
    CHECK(reads(KIND_CALL, 200, "{\"data\": {\"x\":1.10} }"));
    CHECK_INT(answer.verdict, HB_ALLOW);
    CHECK_STR(answer.out.data, "{\"x\":1.10}");
    CHECK(reads(KIND_PUBLISH, 200, "{\"data\":null}"));
    CHECK_INT(answer.verdict, HB_NEXT);
    CHECK_STR(answer.out.data, "null");
    CHECK(reads(KIND_JOIN, 200, "{\"allow\":true,\"data\":1}"));
    CHECK(!answer.out.data.p);
}

TEST(a_call_that_is_not_found_is_not_answered)
{
    CHECK(reads(KIND_CALL, 404, "<html>no") && answer.verdict == HB_NEXT);
    CHECK(!reads(KIND_JOIN, 404, ""));
}

TEST(other_answers_are_faults)
{
    static const int statuses[] = {100, 201, 301, 302, 400, 429, 500, 503};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        CHECK(!reads(KIND_PUBLISH, statuses[i], "{\"allow\":true}"));
    CHECK(!reads(KIND_PUBLISH, 200, "[true]"));
    CHECK(!reads(KIND_PUBLISH, 200, "{\"allow\":true"));
    CHECK(!reads(KIND_PUBLISH, 200, "<html>"));
    CHECK(!reads(KIND_PUBLISH, 200, "{\"data\":\"\\ud800\"}"));
}

/* ---- Who is there. */

TEST(a_name_is_there_until_its_last_goes_and_the_grace_after_it)
{
    struct tally *t = tally_create();
    hb_str name;
    CHECK(tally_add(t, str("a")));
    CHECK(!tally_add(t, str("a")));
    tally_remove(t, str("a"), 1000, 50);
    CHECK(tally_due(t) == UINT64_MAX);
    tally_remove(t, str("a"), 1000, 50);
    CHECK_INT(tally_due(t), 1050);
    CHECK(!tally_expire(t, 1049, &name));
    CHECK(!tally_add(t, str("a"))); /* back in time */
    CHECK(!tally_expire(t, 5000, &name));
    tally_remove(t, str("a"), 6000, 50);
    tally_remove(t, str("a"), 6000, 50); /* once too often */
    CHECK(tally_expire(t, 6050, &name));
    CHECK_STR(name, "a");
    CHECK(!tally_expire(t, 7000, &name));
    CHECK_INT(tally_count(t), 0);
    CHECK(tally_add(t, str("a")));
    tally_remove(t, str("unknown"), 0, 0);
    tally_destroy(t);
}

enum { NAMES = 40 };

struct model {
    int count[NAMES];
    uint64_t due[NAMES]; /* 0: not leaving */
};

static void model_expire(struct model *m, struct tally *t, uint64_t now)
{
    hb_str name;
    uint64_t last = 0;
    while (tally_expire(t, now, &name)) {
        int i = atoi(name.p);
        CHECK(m->due[i] > 0 && m->due[i] <= now && m->due[i] >= last);
        last = m->due[i];
        m->due[i] = 0;
        m->count[i] = 0;
    }
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < NAMES; i++) {
        CHECK(!m->due[i] || m->due[i] > now);
        if (m->due[i] && m->due[i] < first)
            first = m->due[i];
    }
    CHECK(tally_due(t) == first);
}

TEST(who_is_there_is_what_a_simple_list_says)
{
    struct tally *t = tally_create();
    struct model m = {{0}, {0}};
    uint64_t now = 1;
    char name[8];
    for (int step = 0; step < 200000; step++) {
        int i = (int)random_below(NAMES);
        snprintf(name, sizeof(name), "%d", i);
        if (random_below(2)) {
            CHECK_INT(tally_add(t, str(name)), m.count[i] == 0 && !m.due[i]);
            m.count[i]++;
            m.due[i] = 0;
        } else {
            uint64_t grace = random_below(3) ? random_below(100) : 0;
            tally_remove(t, str(name), now, grace);
            if (m.count[i] > 0 && --m.count[i] == 0)
                m.due[i] = now + grace;
        }
        now += random_below(5);
        model_expire(&m, t, now);
    }
    tally_destroy(t);
}

TEST(a_hundred_thousand_names_come_and_go)
{
    struct tally *t = tally_create();
    char name[16];
    hb_str gone;
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        CHECK(tally_add(t, str(name)));
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        tally_remove(t, str(name), 0, (uint64_t)(i * 7919 % 1000));
    }
    int n = 0;
    while (tally_expire(t, 2000, &gone))
        n++;
    CHECK_INT(n, 100000);
    tally_destroy(t);
}

/* ---- What waits. */

static struct ledger *new_ledger(unsigned told, size_t queue)
{
    return ledger_create(&(struct ledger_settings){told, queue, 100});
}

static void check_batch(struct ledger *l, size_t max, size_t events, const char *part)
{
    struct batch b = ledger_batch(l, max);
    CHECK_INT(b.events, events);
    CHECK_INT(b.body != NULL, events > 0);
    if (b.body) {
        CHECK(peek_check((hb_str){b.body, b.n}));
        b.body = realloc(b.body, b.n + 1);
        b.body[b.n] = '\0';
        if (!strstr(b.body, part))
            unit_fail(__FILE__, __LINE__, "%s lacks %s", b.body, part);
    }
    free(b.body);
}

TEST(rooms_and_users_are_told_as_they_come_and_go)
{
    struct ledger *l = new_ledger(TELL_ROOMS | TELL_USERS, 100);
    CHECK(ledger_room(l, 1, 1000, str("lobby"), true, false));
    CHECK(!ledger_room(l, 2, 1000, str("lobby"), true, false));
    CHECK(!ledger_user(l, 3, 1000, str("alice"), true));
    check_batch(l, 10, 2,
        "{\"type\":\"room_occupied\",\"ts\":1,\"room\":\"lobby\"},{\"type\":\"user_online\",\"ts\":"
        "3,\"user\":\"alice\"}");
    ledger_settle(l, true);
    CHECK(!ledger_room(l, 4, 1000, str("lobby"), false, false));
    CHECK(ledger_room(l, 4, 1000, str("lobby"), false, false)); /* a grace begins */
    CHECK_INT(ledger_tick(l, 5, 1099), 1100);
    CHECK_INT(ledger_waiting(l), 0);
    CHECK(ledger_tick(l, 6, 1100) == UINT64_MAX);
    check_batch(l, 10, 1, "{\"type\":\"room_vacated\",\"ts\":6,\"room\":\"lobby\"}");
    ledger_settle(l, true);
    ledger_room(l, 7, 2000, str("x"), true, false);
    ledger_room(l, 8, 2000, str("x"), false, true); /* at once */
    check_batch(l, 10, 2, "room_vacated");
    ledger_settle(l, true);
    ledger_user(l, 9, 2000, str("alice"), false);
    ledger_vacate(l, 9);
    check_batch(l, 10, 1, "user_offline");
    ledger_destroy(l);
}

TEST(a_batch_stays_the_same_until_it_is_settled)
{
    struct ledger *l = new_ledger(TELL_SERVER, 100);
    for (int i = 0; i < 5; i++)
        ledger_server(l, i, "x");
    struct batch a = ledger_batch(l, 3);
    ledger_server(l, 9, "x");
    struct batch b = ledger_batch(l, 100);
    CHECK_STR(str(a.id), b.id);
    CHECK(a.n == b.n && memcmp(a.body, b.body, a.n) == 0);
    CHECK_INT(b.events, 3);
    ledger_settle(l, true);
    struct batch c = ledger_batch(l, 100);
    CHECK(strcmp(a.id, c.id) != 0);
    CHECK_INT(c.events, 3);
    free(a.body);
    free(b.body);
    free(c.body);
    ledger_destroy(l);
}

TEST(the_backend_is_told_how_many_events_it_lost)
{
    struct ledger *l = new_ledger(TELL_SERVER, 3);
    for (int i = 0; i < 5; i++)
        ledger_server(l, i, "x");
    CHECK_INT(ledger_overflowed(l), 2);
    CHECK_INT(ledger_overflowed(l), 0);
    check_batch(l, 2, 2, "\"lost\":2");
    ledger_server(l, 9, "x"); /* lost too, after the batch was written */
    ledger_settle(l, true);
    check_batch(l, 1, 1, "\"lost\":1");
    ledger_settle(l, false); /* given up */
    ledger_server(l, 10, "x");
    check_batch(l, 1, 1, "\"lost\":2");
    ledger_settle(l, true);
    ledger_server(l, 11, "x");
    check_batch(l, 1, 1, "\"lost\":0");
    ledger_destroy(l);
}

TEST(what_nobody_wants_is_counted_and_not_told)
{
    struct ledger *l = new_ledger(0, 100);
    hb_session_info info = {.id = str("s1")};
    CHECK(!ledger_room(l, 1, 1, str("lobby"), true, false));
    CHECK(!ledger_user(l, 1, 1, str("alice"), true));
    CHECK(!ledger_session(l, 1, "session_opened", &info, NULL));
    CHECK(!ledger_server(l, 1, "server_started"));
    CHECK_INT(ledger_waiting(l), 0);
    ledger_configure(l, &(struct ledger_settings){TELL_ROOMS, 100, 0});
    CHECK(ledger_room(l, 1, 1, str("lobby"), false, false));
    check_batch(l, 1, 1, "room_vacated");
    ledger_destroy(l);
}

/* ---- Credentials. */

TEST(a_credential_is_remembered_for_its_time)
{
    struct remember *r = remember_create();
    hb_outcome who = {
        .size = sizeof(who), .user = str("alice"), .rights = str("{}"), .expires_at = 5};
    remember_put(r, str("token"), &who, 1000);
    const hb_outcome *known = remember_get(r, str("token"), 999);
    CHECK(known);
    CHECK_STR(known->user, "alice");
    CHECK_STR(known->rights, "{}");
    CHECK_INT(known->expires_at, 5);
    CHECK(!remember_get(r, str("token"), 1000));
    CHECK(!remember_get(r, str("other"), 0));
    remember_clear(r);
    CHECK(!remember_get(r, str("token"), 0));
    remember_destroy(r);
}

TEST(what_is_remembered_is_bounded)
{
    struct remember *r = remember_create();
    static char big[REMEMBER_BYTES + 1];
    char token[16];
    hb_outcome who = {.user = str("alice")};
    int known = 0;
    for (int i = 0; i < 10000; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        remember_put(r, str(token), &who, 1000);
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(token, sizeof(token), "t%d", i);
        known += remember_get(r, str(token), 0) != NULL;
    }
    CHECK(known > REMEMBER_ENTRIES / 2 && known <= REMEMBER_ENTRIES);
    memset(big, 'x', sizeof(big));
    who.rights = (hb_str){big, sizeof(big)};
    remember_put(r, str("t9999"), &who, 1000);
    CHECK(!remember_get(r, str("t9999"), 0));
    remember_destroy(r);
}

/* ---- Addresses. */

TEST(only_https_or_this_machine_unless_it_is_said)
{
    char error[200];
    CHECK(pool_allows("https://app.example.com/hub", false, error, sizeof(error)));
    CHECK(pool_allows("http://127.0.0.1:8080/hub", false, error, sizeof(error)));
    CHECK(pool_allows("http://[::1]:8080/hub", false, error, sizeof(error)));
    CHECK(pool_allows("http://localhost/hub", false, error, sizeof(error)));
    CHECK(!pool_allows("http://app:8080/hub", false, error, sizeof(error)));
    CHECK(pool_allows("http://app:8080/hub", true, error, sizeof(error)));
    CHECK(!pool_allows("http://127.0.0.1.example.com/", false, error, sizeof(error)));
    CHECK(!pool_allows("file:///etc/passwd", true, error, sizeof(error)));
    CHECK(!pool_allows("https://user:pw@app.example.com/", true, error, sizeof(error)));
    CHECK(!pool_allows("nothing", true, error, sizeof(error)));
    CHECK(!pool_allows("", true, error, sizeof(error)));
}

TEST(work_is_shared_between_the_workers)
{
    struct options o = {.concurrency = 10, .queue = 3, .ca_file = ""};
    CHECK_INT(setup_pool(&o, 4).concurrency, 2);
    CHECK_INT(setup_pool(&o, 4).queue, 1);
    CHECK_INT(setup_pool(&o, 64).concurrency, 1);
    o.queue = 0;
    CHECK_INT(setup_pool(&o, 4).queue, 0);
}
