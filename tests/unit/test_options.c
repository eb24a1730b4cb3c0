#include "base/str.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "conf/units.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

struct inner {
    const char *name;
    int64_t size;
    const hb_node *place;
};

struct sample {
    bool flag;
    int64_t count, threads, window_ms, bytes;
    double ratio, per_second;
    const char *text, *path;
    int format;
    hb_strings words, folders;
    hb_list items;
    const hb_node *any;
};

#define ROW(key_, type_, field, ...) \
    {.key = (key_), .type = HB_OPT_##type_, .offset = offsetof(struct sample, field), __VA_ARGS__}

static const hb_option inner_table[] = {
    {.key = "name", .type = HB_OPT_STRING, .offset = offsetof(struct inner, name), .required = true},
    {.key = "size", .type = HB_OPT_SIZE, .offset = offsetof(struct inner, size), .def = "1KiB"},
    {.key = ".", .type = HB_OPT_NODE, .offset = offsetof(struct inner, place)},
    {0}};

static const hb_option table[] = {
    ROW("flag", BOOL, flag, .def = "true"),
    ROW("limits.count", INT, count, .def = "7", .min = 1, .max = 10),
    ROW("limits.window", DURATION, window_ms, .def = "5m", .min = 100, .max = 3600e3),
    ROW("limits.size.bytes", SIZE, bytes, .def = "64KiB"),
    ROW("threads", INT, threads, .def = "auto", .min = 1, .max = 64, .choices = "auto"),
    ROW("ratio", NUMBER, ratio, .def = "0.5", .min = -1, .max = 1),
    ROW("rate", RATE, per_second, .def = "50/s"),
    ROW("text", STRING, text, .def = "*"),
    ROW("path", PATH, path),
    ROW("format", CHOICE, format, .def = "json", .choices = "text|json"),
    ROW("words", STRINGS, words, .def = "[a, b]"),
    ROW("folders", PATHS, folders),
    ROW("items", LIST, items, .sub = inner_table, .sub_size = sizeof(struct inner)),
    ROW("any", NODE, any),
    {0}};

static struct arena arena;
static struct errors errors;
static struct sample out;

static void start(void)
{
    arena_finish(&arena);
    errors_finish(&errors);
    memset(&out, 0, sizeof(out));
}

static bool read_with(const hb_option *rows, const char *yaml)
{
    start();
    const hb_node *map = parse_text(&arena, "/etc/x/test.yaml", str_of(yaml), &errors);
    CHECK(map != NULL);
    return options_read(map, rows, &out, &errors);
}

static void reads(const char *yaml)
{
    if (!read_with(table, yaml))
        unit_fail(__FILE__, __LINE__, "%s: %s", yaml, errors.items[0].message);
}

static void refuses(const char *yaml, const char *message)
{
    char text[600];
    CHECK(!read_with(table, yaml));
    CHECK_INT(errors.n, 1);
    snprintf(text, sizeof(text), "%u:%u: %s", errors.items[0].line, errors.items[0].column,
        errors.items[0].message);
    CHECK_STR(str_of(text), message);
}

static const struct inner *item(size_t i)
{
    CHECK(i < out.items.n);
    return (const struct inner *)out.items.items + i;
}

TEST(an_empty_map_gives_the_defaults)
{
    reads("");
    CHECK(out.flag);
    CHECK_INT(out.count, 7);
    CHECK_INT(out.window_ms, 300000);
    CHECK_INT(out.bytes, 65536);
    CHECK_INT(out.threads, 0);
    CHECK(out.ratio == 0.5 && out.per_second == 50);
    CHECK_STR(str_of(out.text), "*");
    CHECK_STR(str_of(out.path), "");
    CHECK_INT(out.format, 1);
    CHECK_INT(out.words.n, 2);
    CHECK_STR(out.words.items[1], "b");
    CHECK_INT(out.folders.n, 0);
    CHECK_INT(out.items.n, 0);
    CHECK(out.any == NULL);
}

TEST(every_type_is_read)
{
    reads("flag: false\nlimits: {count: 3, window: 1.5s, size: {bytes: 2MB}}\nthreads: 4\n"
          "ratio: -0.25\nrate: 30/m\ntext: a b\npath: sub/x\nformat: text\nwords: [x]\n"
          "folders: [/abs, rel]\nitems: [{name: n, size: 10}]\nany: {deep: [1]}\n");
    CHECK(!out.flag);
    CHECK_INT(out.count, 3);
    CHECK_INT(out.window_ms, 1500);
    CHECK_INT(out.bytes, 2000000);
    CHECK_INT(out.threads, 4);
    CHECK(out.ratio == -0.25 && out.per_second == 0.5);
    CHECK_STR(str_of(out.text), "a b");
    CHECK_INT(out.format, 0);
    CHECK_STR(str_of(item(0)->name), "n");
    CHECK_INT(item(0)->size, 10);
    CHECK_INT(item(0)->place->line, 11);
    CHECK_INT(out.any->kind, NODE_MAP);
}

TEST(paths_start_at_the_folder_of_the_file)
{
    reads("path: sub/x\nfolders: [/abs, rel]\n");
    CHECK_STR(str_of(out.path), "/etc/x/sub/x");
    CHECK_STR(out.folders.items[0], "/abs");
    CHECK_STR(out.folders.items[1], "/etc/x/rel");
}

TEST(one_stands_for_a_list_of_one)
{
    reads("words: x\nfolders: y\nitems: {name: z}\n");
    CHECK_INT(out.words.n, 1);
    CHECK_STR(out.words.items[0], "x");
    CHECK_STR(out.folders.items[0], "/etc/x/y");
    CHECK_STR(str_of(item(0)->name), "z");
    CHECK_INT(item(0)->size, 1024);
}

TEST(a_list_left_empty_is_empty_not_the_default)
{
    reads("words: []\n");
    CHECK_INT(out.words.n, 0);
    reads("words:\n");
    CHECK_INT(out.words.n, 0);
}

TEST(a_section_without_keys_is_fine)
{
    reads("limits:\n");
    CHECK_INT(out.count, 7);
}

TEST(quoted_numbers_are_numbers)
{
    reads("limits: {count: \"4\"}\n");
    CHECK_INT(out.count, 4);
}

TEST(unknown_keys_come_with_the_nearest_right_one)
{
    refuses("limits: {cuont: 3}\n", "1:10: unknown key 'cuont'; did you mean 'count'?");
    refuses("limit: {count: 3}\n", "1:1: unknown key 'limit'; did you mean 'limits'?");
    refuses("completely: 3\n", "1:1: unknown key 'completely'");
    refuses("items: [{nmae: x, name: y}]\n", "1:10: unknown key 'nmae'; did you mean 'name'?");
    refuses("limits.count: 3\n", "1:1: unknown key 'limits.count'");
    refuses("\".\": 3\n", "1:1: unknown key '.'");
}

TEST(wrong_types_say_what_is_expected)
{
    refuses("flag: yes\n", "1:7: 'flag': expected true or false, not 'yes'");
    refuses("limits: {count: 1.5}\n", "1:17: 'limits.count': expected a whole number, not '1.5'");
    refuses("limits: {count: [1]}\n", "1:17: 'limits.count': expected a whole number, not a list");
    refuses("limits: {count: }\n", "1:17: 'limits.count': expected a whole number, not nothing");
    refuses("limits: 3\n", "1:9: 'limits': expected a map, 'key: value'");
    refuses("threads: many\n",
        "1:10: 'threads': expected a whole number or 'auto', not 'many'");
    refuses("limits: {window: 25}\n",
        "1:18: 'limits.window': expected a duration such as 25s, 5m or 100ms, not '25'");
    refuses("rate: 50\n", "1:7: 'rate': expected a rate such as 50/s, not '50'");
    refuses("format: xml\n", "1:9: 'format': expected one of text, json, not 'xml'");
    refuses("text: {a: 1}\n", "1:7: 'text': expected a text, not a map");
    refuses("words: {a: 1}\n", "1:8: 'words': expected a list of texts, not a map");
    refuses("words: [a, [b]]\n", "1:12: 'words': expected a list of texts, not a list");
    refuses("items: 3\n", "1:8: 'items': expected a list, not '3'");
    refuses("items: [3]\n", "1:9: 'items': expected a list of maps, not '3'");
}

TEST(values_out_of_bounds_are_told_the_bounds)
{
    refuses("limits: {count: 0}\n", "1:17: 'limits.count': must be from 1 to 10");
    refuses("limits: {count: 11}\n", "1:17: 'limits.count': must be from 1 to 10");
    refuses("limits: {window: 2h}\n", "1:18: 'limits.window': must be from 100ms to 1h");
    refuses("ratio: 1.01\n", "1:8: 'ratio': must be from -1 to 1");
    refuses("threads: 0\n", "1:10: 'threads': must be from 1 to 64");
}

TEST(what_is_wrong_keeps_its_default)
{
    CHECK(!read_with(table, "limits: {count: 99, window: x}\nformat: z\n"));
    CHECK_INT(errors.n, 3);
    CHECK_INT(out.count, 7);
    CHECK_INT(out.window_ms, 300000);
    CHECK_INT(out.format, 1);
}

TEST(required_keys_are_missed)
{
    refuses("items:\n  - size: 3\n", "2:5: missing key 'name'");
}

TEST(a_broken_variable_is_told_once)
{
    read_with(table, "limits: {count: \"${UNIT_NOT_SET}\"}\n");
    CHECK_INT(errors.fatal, 1);
    CHECK_STR(str_of(errors.items[0].message),
        "the variable UNIT_NOT_SET is not set and has no default");
    CHECK_INT(out.count, 7);
}

TEST(a_table_that_is_too_long_is_refused_not_overrun)
{
    static hb_option rows[OPTIONS_MAX_ROWS + 2];
    for (size_t i = 0; i <= OPTIONS_MAX_ROWS; i++)
        rows[i] = (hb_option){.key = "flag", .type = HB_OPT_BOOL};
    CHECK(!read_with(rows, ""));
}

TEST(the_nearest_word_is_near)
{
    static const char *const words[] = {"messages", "connects", "per"};
    CHECK_STR(str_of(options_nearest(HB_STR("messsages"), words, 3)), "messages");
    CHECK_STR(str_of(options_nearest(HB_STR("pre"), words, 3)), "per");
    CHECK(options_nearest(HB_STR("zebra"), words, 3) == NULL);
    CHECK(options_nearest(HB_STR(""), words, 3) == NULL);
}

static int64_t size(const char *text)
{
    int64_t n = -1;
    units_size(str_of(text), &n);
    return n;
}

static int64_t duration(const char *text)
{
    int64_t n = -1;
    units_duration(str_of(text), &n);
    return n;
}

TEST(units_are_those_of_the_documentation)
{
    CHECK_INT(size("1B"), 1);
    CHECK_INT(size("1kB"), 1000);
    CHECK_INT(size("1KB"), 1000);
    CHECK_INT(size("2MB"), 2000000);
    CHECK_INT(size("1GB"), 1000000000);
    CHECK_INT(size("1KiB"), 1024);
    CHECK_INT(size("1MiB"), 1048576);
    CHECK_INT(size("1.5GiB"), 1610612736);
    CHECK_INT(size("512"), 512);
    CHECK_INT(duration("3ms"), 3);
    CHECK_INT(duration("25s"), 25000);
    CHECK_INT(duration("5m"), 300000);
    CHECK_INT(duration("1h"), 3600000);
    CHECK_INT(duration("2d"), 172800000);
    CHECK_INT(duration("0"), 0);
}

TEST(what_is_no_number_with_a_unit_is_refused)
{
    static const char *const bad[] = {"", "s", "-1s", "1 s", "1S", "1e3s", "1.s", ".5s", "0x1s",
        "1s1", "infs", "99999999999999999d", "0.1ms", "+1s", "1mss"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (duration(bad[i]) != -1)
            unit_fail(__FILE__, __LINE__, "'%s' was taken for a duration", bad[i]);
    CHECK_INT(size("1kib"), -1);
    CHECK_INT(size("1.5"), -1);
    CHECK_INT(size("1.1GiB"), 1181116006);
}

TEST(sizes_and_durations_are_shown_in_their_largest_unit)
{
    char text[32];
    units_show_size(65536, text);
    CHECK_STR(str_of(text), "64KiB");
    units_show_size(1000000, text);
    CHECK_STR(str_of(text), "1MB");
    units_show_duration(90000, text);
    CHECK_STR(str_of(text), "90s");
    units_show_duration(0, text);
    CHECK_STR(str_of(text), "0");
}
