#include "base/buf.h"
#include "base/str.h"
#include "conf/parse.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct errors errors;

static const hb_node *parse(const char *text)
{
    arena_finish(&arena);
    errors_finish(&errors);
    return parse_text(&arena, "test.yaml", str_of(text), &errors);
}

/* "line:column: message" of the first error. */
static const char *first_error(void)
{
    static char text[600];
    CHECK(errors.n > 0);
    snprintf(text, sizeof(text), "%u:%u: %s", errors.items[0].line, errors.items[0].column,
        errors.items[0].message);
    return text;
}

static void refuses(const char *text, const char *error)
{
    CHECK(parse(text) == NULL);
    CHECK_STR(str_of(first_error()), error);
}

static hb_str value(const char *text, const char *key)
{
    const hb_node *map = parse(text);
    CHECK(map != NULL);
    CHECK_INT(errors.n, 0);
    return node_text(node_get(map, str_of(key)));
}

static void repeat(struct buf *b, const char *what, size_t n)
{
    while (n--)
        buf_lit(b, what);
}

TEST(a_file_gives_a_tree_that_knows_where_everything_stood)
{
    const hb_node *map = parse("a: 1\nb:\n  - x\n  - {y: 'z'}\n");
    CHECK_INT(map->kind, NODE_MAP);
    CHECK_INT(node_count(map), 2);
    CHECK_STR(node_text(node_key(map, 1)), "b");
    const hb_node *list = node_get(map, HB_STR("b"));
    CHECK_INT(list->kind, NODE_LIST);
    CHECK_INT(list->line, 3);
    const hb_node *z = node_get(node_item(list, 1), HB_STR("y"));
    CHECK_STR(node_text(z), "z");
    CHECK_INT(z->line, 4);
    CHECK_INT(z->column, 9);
    CHECK(node_item(list, 2) == NULL);
    CHECK(node_key(list, 0) == NULL);
    CHECK(node_text(list).p == NULL);
}

TEST(an_empty_file_is_an_empty_map)
{
    static const char *const empty[] = {"", "\n", "# nothing\n", "---\n", "~\n", "{}"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        const hb_node *map = parse(empty[i]);
        CHECK(map && map->kind == NODE_MAP && map->n == 0);
        CHECK_INT(errors.n, 0);
    }
}

TEST(what_is_no_map_is_refused)
{
    refuses("just words\n", "1:1: expected keys with their values, 'key: value'");
    refuses("- a\n- b\n", "1:1: expected keys with their values, 'key: value'");
}

TEST(syntax_errors_name_their_place)
{
    refuses("a: 1\nb: [1, 2\nc: 3\n", "3:2: did not find expected ',' or ']'");
    refuses("a: 1\n\tb: 2\n", "2:1: found a tab character that violates indentation");
    refuses("a: \"x\n", "2:1: found unexpected end of stream");
}

TEST(bytes_that_are_not_utf8_are_refused_with_line_and_column)
{
    refuses("a: 1\nb: \xff\n", "2:4: invalid leading UTF-8 octet");
}

TEST(a_second_document_is_refused)
{
    refuses("a: 1\n---\nb: 2\n", "2:1: one document only: a second one begins here");
}

TEST(anchors_aliases_and_tags_are_refused)
{
    refuses("a: &x 1\n", "1:4: anchors and aliases are not supported");
    refuses("a: &x [1]\n", "1:4: anchors and aliases are not supported");
    refuses("a: *x\n", "1:4: anchors and aliases are not supported");
    refuses("a: !!str 1\n", "1:4: tags are not supported");
    refuses("a: !x {b: 1}\n", "1:4: tags are not supported");
}

TEST(duplicate_keys_are_errors_at_the_second_one)
{
    const hb_node *map = parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
    CHECK_INT(errors.n, 2);
    CHECK_INT(node_count(map), 2);
    CHECK_STR(node_text(node_item(map, 0)), "1");
    CHECK_STR(str_of(first_error()), "4:3: duplicate key 'c'; it was given in line 3 already");
}

TEST(the_same_key_in_two_maps_is_fine)
{
    parse("a: {x: 1}\nb: {x: 1}\n");
    CHECK_INT(errors.n, 0);
}

TEST(keys_are_words)
{
    refuses("? [a, b]\n: 1\n", "1:3: a key must be a plain word");
    refuses("~: 1\n", "1:1: a key must be a plain word");
}

TEST(nothing_is_told_from_an_empty_text)
{
    const hb_node *map = parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n");
    CHECK_INT(node_item(map, 0)->kind, NODE_NULL);
    CHECK_INT(node_item(map, 1)->kind, NODE_NULL);
    CHECK_INT(node_item(map, 2)->kind, NODE_NULL);
    CHECK_INT(node_item(map, 3)->kind, NODE_SCALAR);
    CHECK_STR(node_text(node_item(map, 4)), "null");
}

TEST(variables_are_put_into_plain_and_quoted_values)
{
    setenv("UNIT_A", "one", 1);
    CHECK_STR(value("k: ${UNIT_A}\n", "k"), "one");
    CHECK_STR(value("k: \"${UNIT_A}\"\n", "k"), "one");
    CHECK_STR(value("k: '<${UNIT_A}-${UNIT_A}>'\n", "k"), "<one-one>");
}

TEST(a_default_stands_for_an_unset_or_empty_variable)
{
    unsetenv("UNIT_A");
    CHECK_STR(value("k: ${UNIT_A:-two}\n", "k"), "two");
    CHECK_STR(value("k: \"${UNIT_A:-}\"\n", "k"), "");
    setenv("UNIT_A", "", 1);
    CHECK_STR(value("k: ${UNIT_A:-two}\n", "k"), "two");
    CHECK_STR(value("k: a${UNIT_A}b\n", "k"), "ab");
}

TEST(an_unset_variable_without_default_is_an_error_at_its_place)
{
    unsetenv("UNIT_A");
    CHECK(parse("a: 1\nk: x${UNIT_A}\nl: ${UNIT_A}\n") != NULL);
    CHECK_INT(errors.n, 2);
    CHECK_STR(str_of(first_error()), "2:4: the variable UNIT_A is not set and has no default");
}

TEST(what_a_variable_holds_is_not_expanded_again)
{
    setenv("UNIT_A", "${UNIT_B}", 1);
    CHECK_STR(value("k: ${UNIT_A}\n", "k"), "${UNIT_B}");
}

TEST(a_dollar_is_a_dollar_and_two_before_a_brace_escape_it)
{
    CHECK_STR(value("k: pa$$word$\n", "k"), "pa$$word$");
    CHECK_STR(value("k: $${HOME}\n", "k"), "${HOME}");
    CHECK_STR(value("k: $HOME\n", "k"), "$HOME");
}

TEST(malformed_variables_are_errors)
{
    parse("k: ${}\n");
    CHECK_STR(str_of(first_error()),
        "1:4: expected ${NAME} or ${NAME:-default}; a lone ${ is written $${");
    parse("k: ${A B}\n");
    CHECK_INT(errors.n, 1);
    parse("k: ${1A:-x}\n");
    CHECK_INT(errors.n, 1);
    parse("k: x${HOME\n");
    CHECK_STR(str_of(first_error()), "1:4: a ${ without its }");
}

TEST(values_from_the_environment_are_not_shown)
{
    char shown[64];
    setenv("UNIT_A", "s3cret", 1);
    const hb_node *map = parse("k: ${UNIT_A}\nl: abc\n");
    CHECK_STR(str_of(node_shown(node_item(map, 0), shown)), "the value from the environment");
    CHECK_STR(str_of(node_shown(node_item(map, 1), shown)), "'abc'");
}

TEST(a_nul_in_a_value_is_refused)
{
    refuses("k: \"a\\0b\"\n", "1:4: a value can't hold a NUL character");
}

TEST(nesting_is_bounded)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "k: ");
    repeat(&b, "[", PARSE_MAX_DEPTH - 1);
    repeat(&b, "]", PARSE_MAX_DEPTH - 1);
    buf_char(&b, 0);
    CHECK(parse(b.p) != NULL);
    buf_clear(&b);
    buf_lit(&b, "k: ");
    repeat(&b, "[", 100 * 1000);
    buf_char(&b, 0);
    CHECK(parse(b.p) == NULL);
    CHECK_STR(str_of(first_error()), "1:67: nested too deep");
    buf_finish(&b);
}

TEST(the_number_of_values_is_bounded)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "k: [");
    repeat(&b, "a,", PARSE_MAX_NODES);
    buf_lit(&b, "]");
    buf_char(&b, 0);
    CHECK(parse(b.p) == NULL);
    CHECK(strstr(first_error(), "too many values"));
    buf_finish(&b);
}

TEST(the_size_is_bounded_before_and_after_expansion)
{
    struct buf b = BUF_INIT;
    repeat(&b, "#", PARSE_MAX_BYTES + 1);
    CHECK(parse_text(&arena, "big.yaml", buf_view(&b), &errors) == NULL);
    buf_clear(&b);
    repeat(&b, "x", 100 * 1000);
    buf_char(&b, 0);
    setenv("UNIT_BIG", b.p, 1);
    buf_clear(&b);
    buf_lit(&b, "k: ");
    repeat(&b, "${UNIT_BIG}", 100);
    buf_char(&b, 0);
    CHECK(parse(b.p) == NULL);
    CHECK(strstr(first_error(), "too long"));
    unsetenv("UNIT_BIG");
    buf_finish(&b);
}

TEST(a_file_that_cannot_be_read_is_named)
{
    errors_finish(&errors);
    CHECK(parse_file(&arena, "/nonexistent/x.yaml", &errors) == NULL);
    CHECK_STR(str_of(errors.items[0].file), "/nonexistent/x.yaml");
    CHECK_STR(str_of(errors.items[0].message), "can't be read: No such file or directory");
    errors_finish(&errors);
    CHECK(parse_file(&arena, "/", &errors) == NULL);
    CHECK_STR(str_of(errors.items[0].message), "can't be read: Is a directory");
}

TEST(errors_are_printed_in_the_order_of_their_places)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    errors_finish(&errors);
    errors_add(&errors, "a.yaml", 10, 1, "last\n");
    errors_add(&errors, "a.yaml", 9, 3, "first");
    errors_add(&errors, "a.yaml", 9, 20, "second");
    errors_print(&errors, f);
    fclose(f);
    CHECK_STR(str_of(text), "a.yaml:9:3: first\na.yaml:9:20: second\na.yaml:10:1: last?\n");
    free(text);
}

TEST(errors_past_the_bound_are_counted)
{
    errors_finish(&errors);
    for (int i = 0; i < ERRORS_MAX + 5; i++)
        errors_add(&errors, "a.yaml", 1, 1, "x");
    CHECK_INT(errors.n, ERRORS_MAX);
    CHECK_INT(errors.fatal, ERRORS_MAX + 5);
    CHECK_INT(errors.left_out, 5);
}
