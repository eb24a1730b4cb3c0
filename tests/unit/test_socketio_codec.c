/* Engine.IO payloads, Socket.IO packets, bytes inside JSON, and the shape of messages. */
#include "base/str.h"
#include "socketio/binary.h"
#include "socketio/jtext.h"
#include "socketio/payload.h"
#include "socketio/shape.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static enum jtext_status check(const char *text)
{
    return jtext_check(str_of(text), 64);
}

TEST(json_is_told_from_what_is_none)
{
    static const char *const good[] = {"1", "-0.5e+3", "\"a\\u00e9\\ud83d\\ude00\"", "[]", "{}", " [ 1 , {\"a\" : [ ] } ] ",
        "[[],[{}],\"]\"]", "{\"a\":{\"b\":null},\"c\":true}", "1e400"};
    static const char *const bad[] = {"", " ", "01", "1.", ".5", "1e", "-", "+1", "[1,]", "[,1]", "{\"a\"}", "{a:1}",
        "{\"a\":1,}", "[1}", "{\"a\":1]", "[", "{", "\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "nul", "truex", "1 2", "[1]]",
        "{\"a\" 1}", "\"\\"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK_INT(check(good[i]), JTEXT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(check(bad[i]), JTEXT_SYNTAX);
    CHECK_INT(jtext_check(HB_STR("\"\\\0\""), 64), JTEXT_SYNTAX);
}

TEST(half_a_surrogate_pair_and_deep_nesting_are_named)
{
    CHECK_INT(check("\"\\ud83d\""), JTEXT_SURROGATE);
    CHECK_INT(check("[\"\\ude00 \\ud83dx\"]"), JTEXT_SURROGATE);
    CHECK_INT(jtext_check(HB_STR("[[[]]]"), 3), JTEXT_OK);
    CHECK_INT(jtext_check(HB_STR("[[[[]]]]"), 3), JTEXT_TOO_DEEP);
}

TEST(keys_are_found_however_they_are_escaped_and_the_last_one_counts)
{
    hb_str object = HB_STR("{\"a\":1,\"user\\u0049d\":\"x\", \"a\" : [2, 3] }");
    CHECK_STR(jtext_get(object, HB_STR("a")), "[2, 3]");
    CHECK_STR(jtext_get(object, HB_STR("userId")), "\"x\"");
    CHECK(!jtext_get(object, HB_STR("us")).p);
}

TEST(strings_are_decoded)
{
    struct bytes b = BYTES_INIT;
    CHECK(jtext_string(HB_STR(" \"a\\n\\u00e9\\ud83d\\ude00\\ud83d\\\"\" "), &b));
    CHECK_STR(bytes_view(&b), "a\n\u00e9\U0001f600\ufffd\"");
    CHECK(!jtext_string(HB_STR("17"), &b));
    bytes_finish(&b);
}

TEST(base64_goes_both_ways_and_refuses_what_is_none)
{
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < 5; i++) {
        struct bytes b = BYTES_INIT, back = BYTES_INIT;
        bytes_base64(&b, str_of(pairs[i][0]));
        CHECK_STR(bytes_view(&b), pairs[i][1]);
        CHECK(bytes_unbase64(&back, str_of(pairs[i][1])));
        CHECK_STR(bytes_view(&back), pairs[i][0]);
        bytes_finish(&b);
        bytes_finish(&back);
    }
    static const char *const bad[] = {"Z", "Zg=a", "Zm9vZ", "Zm9-", "====", "Z===", "Zg==="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes b = BYTES_INIT;
        CHECK(!bytes_unbase64(&b, str_of(bad[i])));
        CHECK_INT(b.n, 0);
        bytes_finish(&b);
    }
}

/* ---- Engine.IO ---- */

TEST(a_payload_is_packets_between_record_separators)
{
    hb_str rest = HB_STR("4hello\x1e" "2\x1e" "bAQIDBA==");
    struct engine_packet p;
    CHECK(payload_next(&rest, &p));
    CHECK_INT(p.type, ENGINE_MESSAGE);
    CHECK_STR(p.data, "hello");
    CHECK(payload_next(&rest, &p));
    CHECK_INT(p.type, ENGINE_PING);
    CHECK(payload_next(&rest, &p));
    CHECK_INT(p.type, ENGINE_BASE64);
    CHECK_STR(p.data, "AQIDBA==");
    CHECK(!payload_next(&rest, &p));
}

TEST(empty_and_unknown_packets_are_faults)
{
    static const char *const bad[] = {"", "abc", "7", "\0364a", "4a\036", "B"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hb_str rest = str_of(bad[i]);
        struct engine_packet p;
        bool fault = false;
        while (payload_next(&rest, &p))
            fault |= p.type == ENGINE_FAULT;
        CHECK(fault);
    }
}

/* ---- Socket.IO packets ---- */

TEST(packets_are_taken_apart)
{
    struct packet p;
    CHECK(packet_parse(HB_STR("0"), &p));
    CHECK(p.type == PACKET_CONNECT && !p.data.p);
    CHECK_STR(p.space, "/");
    CHECK(packet_parse(HB_STR("0/admin"), &p));
    CHECK_STR(p.space, "/admin");
    CHECK(packet_parse(HB_STR("0/admin,{\"a\":1}"), &p));
    CHECK_STR(p.data, "{\"a\":1}");
    CHECK(packet_parse(HB_STR("1/admin,"), &p));
    CHECK(p.type == PACKET_DISCONNECT);
    CHECK(packet_parse(HB_STR("2/admin,7[\"save\",{}]"), &p));
    CHECK(p.type == PACKET_EVENT && p.has_id && p.id == 7);
    CHECK_STR(p.name, "\"save\"");
    CHECK(packet_parse(HB_STR("2[12,1]"), &p));
    CHECK(!p.has_id);
    CHECK_STR(p.name, "12");
    CHECK(packet_parse(HB_STR("30[]"), &p));
    CHECK(p.type == PACKET_ACK && p.id == 0);
    CHECK(packet_parse(HB_STR("52-/admin,456[\"x\",{\"_placeholder\":true,\"num\":0}]"), &p));
    CHECK(p.type == PACKET_BINARY_EVENT && p.attachments == 2 && p.id == 456);
    CHECK(packet_parse(HB_STR("61-9[{\"_placeholder\":true,\"num\":0}]"), &p));
    CHECK(p.type == PACKET_BINARY_ACK);
}

TEST(violations_are_found)
{
    static const char *const bad[] = {"", "7", "a", "9[]", "2", "2{}", "2[]", "2[null]", "2[\"a\"", "2[\"connect\"]",
        "2[\"disc\\u006fnnect\"]", "2[\"newListener\",1]", "2abc[\"a\"]", "3{}", "31{}", "0[]", "0null", "0\"a\"",
        "1{}", "1[]", "4{\"message\":\"x\"}", "5[\"a\"]", "5-[\"a\"]", "50-[\"a\"]", "511-[\"a\"]", "5x-[\"a\"]", "51[\"a\"]",
        "21234567890123456789[\"a\"]", "2/admin[\"a\"]"};
    struct packet p;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (packet_parse(str_of(bad[i]), &p))
            unit_fail(__FILE__, __LINE__, "%s was taken for a packet", bad[i]);
}

TEST(halves_of_characters_are_mended_and_nothing_else)
{
    static const char *const cases[][2] = {{"[\"a\"]", "[\"a\"]"}, {"\"\\ud83d\"", "\"\\ufffd\""},
        {"{\"\\udead\":\"\\\\ud83d\\ud83d\\ude00\\uD83Dx\"}", "{\"\\ufffd\":\"\\\\ud83d\\ud83d\\ude00\\ufffdx\"}"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes b = BYTES_INIT;
        jtext_mend(str_of(cases[i][0]), &b);
        CHECK_STR(bytes_view(&b), cases[i][1]);
        CHECK_INT(check(cases[i][1]), JTEXT_OK);
        bytes_finish(&b);
    }
}

TEST(what_is_too_deep_is_refused_and_half_a_character_is_to_be_mended)
{
    char text[300] = "2[\"a\",";
    size_t n = strlen(text);
    memset(text + n, '[', 70);
    memset(text + n + 70, ']', 71);
    struct packet p;
    CHECK(packet_parse((hb_str){text, n + 141}, &p));
    CHECK(p.refused);
    CHECK(packet_parse(HB_STR("2[\"a\",\"\\ud800\"]"), &p));
    CHECK(!p.refused && p.halves);
}

static void check_head(enum packet_type type, unsigned attachments, const char *space, const uint64_t *id, const char *want)
{
    struct bytes b = BYTES_INIT;
    packet_head(&b, type, attachments, str_of(space), id);
    CHECK_STR(bytes_view(&b), want);
    bytes_finish(&b);
}

TEST(heads_are_written_as_they_are_read)
{
    uint64_t id = 12;
    check_head(PACKET_EVENT, 0, "/", NULL, "2");
    check_head(PACKET_EVENT, 0, "/admin", &id, "2/admin,12");
    check_head(PACKET_BINARY_ACK, 3, "/", &id, "63-12");
}

/* ---- bytes inside JSON ---- */

static void check_join(const char *json, const char *want)
{
    static const hb_str parts[] = {{"AQID", 4}, {"BAUG", 4}};
    struct bytes b = BYTES_INIT;
    bool ok = binary_join(str_of(json), parts, 2, &b);
    CHECK(ok == (want != NULL));
    if (want)
        CHECK_STR(bytes_view(&b), want);
    bytes_finish(&b);
}

TEST(placeholders_become_bytes)
{
    check_join("[\"a\",{\"_placeholder\":true,\"num\":0},1.10,{\"x\":{ \"num\" : 1 , \"_placeholder\" : true }}]",
        "[\"a\",{\"$binary\":\"AQID\"},1.10,{\"x\":{\"$binary\":\"BAUG\"}}]");
    check_join("[{\"_placeholder\":false,\"num\":0},{\"num\":1},{},{\"a\":\"{\\\"_placeholder\\\"\"}]",
        "[{\"_placeholder\":false,\"num\":0},{\"num\":1},{},{\"a\":\"{\\\"_placeholder\\\"\"}]");
    check_join("[{\"_placeholder\":true,\"num\":2}]", NULL);
    check_join("[{\"_placeholder\":true,\"num\":-1}]", NULL);
    check_join("[{\"_placeholder\":true,\"num\":1e0}]", NULL);
}

static void check_split(const char *json, size_t n, const char *want)
{
    struct binary_parts parts;
    struct bytes b = BYTES_INIT;
    binary_split(str_of(json), &b, &parts);
    CHECK_INT(parts.n, n);
    CHECK_STR(bytes_view(&b), want);
    bytes_finish(&b);
}

TEST(bytes_become_placeholders_depth_first)
{
    check_split("{\"a\":[{\"$binary\":\"AQID\"},{\"b\":{ \"$binary\" : \"\" }}],\"n\":1e400}", 2,
        "{\"a\":[{\"_placeholder\":true,\"num\":0},{\"b\":{\"_placeholder\":true,\"num\":1}}],\"n\":1e400}");
    check_split("{\"a\":1}", 0, "");
    check_split("{\"$binary\":\"no base64\"}", 0, "");
    check_split("{\"$binary\":\"AQI\"}", 0, "");
    check_split("{\"$binary\":\"AQID\",\"more\":1}", 0, "");
    check_split("{\"$binary\":{\"$binary\":\"AQID\"}}", 1, "{\"$binary\":{\"_placeholder\":true,\"num\":0}}");
}

TEST(a_slash_in_base64_may_be_escaped)
{
    struct binary_parts parts;
    struct bytes b = BYTES_INIT, raw = BYTES_INIT;
    binary_split(HB_STR("{\"$binary\":\"\\/\\/79\"}"), &b, &parts);
    CHECK_INT(parts.n, 1);
    binary_bytes(parts.base64[0], &raw);
    CHECK_STR(bytes_view(&raw), "\xff\xfe\xfd");
    bytes_finish(&b);
    bytes_finish(&raw);
}

TEST(nobody_can_slip_other_clients_a_placeholder)
{
    check_split("[{\"$binary\":\"AQID\"},{\"_placeholder\":true,\"num\":99}]", 0, "");
    check_split("[{\"$binary\":\"AQID\"},{\"\\u005fplaceholder\":true}]", 0, "");
    check_split("[{\"$binary\":\"AQID\"},\"_placeholder\"]", 1, "[{\"_placeholder\":true,\"num\":0},\"_placeholder\"]");
}

TEST(more_than_ten_attachments_stay_in_the_text)
{
    char json[1024] = "[", want[1024] = "[";
    for (int i = 0; i < 12; i++) {
        strcat(json, i ? ",{\"$binary\":\"AA==\"}" : "{\"$binary\":\"AA==\"}");
        char part[64];
        snprintf(part, sizeof(part), i < 10 ? "%s{\"_placeholder\":true,\"num\":%d}" : "%s{\"$binary\":\"AA==\"}",
            i ? "," : "", i);
        strcat(want, part);
    }
    strcat(json, "]");
    strcat(want, "]");
    check_split(json, 10, want);
}

/* ---- shape ---- */

static const struct shape_names names = {.room = {"roomId", 6}, .user = {"userId", 6}, .ts = {"ts", 2},
    .data = {"data", 4}, .key = {"key", 3}};

static void check_value(const char *packet, const char *want, const char *arguments)
{
    struct bytes b = BYTES_INIT, back = BYTES_INIT;
    shape_value(str_of(packet), &b);
    CHECK_STR(bytes_view(&b), want);
    CHECK_INT(shape_arguments(bytes_view(&b), &back), arguments[0] != '\0');
    CHECK_STR(bytes_view(&back), arguments);
    bytes_finish(&b);
    bytes_finish(&back);
}

TEST(arguments_become_a_value_and_come_back)
{
    check_value("[\"e\"]", "[]", "");
    check_value("[\"e\", {\"a\":1.10} ]", "{\"a\":1.10}", "{\"a\":1.10}");
    check_value("[\"e\",1,\"2\",{\"3\":[true]}]", "[1,\"2\",{\"3\":[true]}]", "1,\"2\",{\"3\":[true]}");
    check_value("[\"e\",[1,2]]", "[[1,2]]", "[1,2]");
    check_value("[\"e\",[]]", "[[]]", "[]");
}

TEST(a_message_is_published_without_the_servers_fields)
{
    struct shape_publish p;
    struct bytes b = BYTES_INIT;
    shape_publish(&names, HB_STR("{\"roomId\":\"r\",\"text\":\"hi\",\"user\\u0049d\":\"root\",\"ts\":1,\"key\":\"k\",\"n\":1.10}"),
        &p, &b);
    CHECK_STR(p.room, "\"r\"");
    CHECK_STR(p.key, "\"k\"");
    CHECK_STR(bytes_view(&b), "{\"text\":\"hi\",\"key\":\"k\",\"n\":1.10}");
    bytes_finish(&b);
}

static void check_message(hb_str user, const char *data, const char *want)
{
    struct bytes b = BYTES_INIT;
    shape_message(&names, user, 17, HB_STR("r\""), str_of(data), &b);
    CHECK_STR(bytes_view(&b), want);
    bytes_finish(&b);
}

TEST(the_servers_fields_always_win)
{
    check_message(HB_STR("al"), "{\"text\":\"hi\",\"userId\":\"root\",\"\\u0074s\":0,\"z\":-0}",
        "{\"userId\":\"al\",\"ts\":17,\"roomId\":\"r\\\"\",\"text\":\"hi\",\"z\":-0}");
    check_message((hb_str){NULL, 0}, "[1]", "{\"userId\":null,\"ts\":17,\"roomId\":\"r\\\"\",\"data\":[1]}");
    check_message(HB_STR("al"), " {} ", "{\"userId\":\"al\",\"ts\":17,\"roomId\":\"r\\\"\"}");
}
