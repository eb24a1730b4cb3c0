#include "base/str.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define S(literal) HB_STR(literal)
static const hb_str ABSENT = {NULL, 0};

TEST(a_c_string_becomes_its_bytes_and_null_becomes_absent)
{
    CHECK_STR(str_of("abc"), "abc");
    CHECK(str_of("").p != NULL);
    CHECK(str_of(NULL).p == NULL);
}

TEST(equality_looks_at_every_byte_and_at_the_length)
{
    CHECK(str_eq(S("abc"), S("abc")));
    CHECK(!str_eq(S("abc"), S("abd")));
    CHECK(!str_eq(S("abc"), S("ab")));
    CHECK(!str_eq(S("a\0b"), S("a\0c")));
    CHECK(str_eq(S(""), ABSENT));
}

TEST(case_is_folded_for_ascii_letters_only)
{
    CHECK(str_eq_nocase(S("UpGrade"), S("upgrade")));
    CHECK(!str_eq_nocase(S("@"), S("`")));
    CHECK(!str_eq_nocase(S("["), S("{")));
    CHECK(!str_eq_nocase(S("\xc0"), S("\xe0")));
}

TEST(prefixes_and_suffixes_include_the_empty_one_and_the_whole)
{
    CHECK(str_starts(S("room:1"), S("room:")));
    CHECK(str_starts(S("x"), S("")));
    CHECK(!str_starts(S("x"), S("xy")));
    CHECK(str_ends(S("a.js"), S(".js")));
    CHECK(str_ends(S("a"), S("a")));
    CHECK(!str_ends(S("a"), S("ba")));
    CHECK(str_ends(ABSENT, S("")));
}

TEST(order_is_bytewise_with_the_shorter_first)
{
    CHECK(str_cmp(S("a"), S("b")) < 0);
    CHECK(str_cmp(S("\xff"), S("a")) > 0);
    CHECK(str_cmp(S("a"), S("ab")) < 0);
    CHECK_INT(str_cmp(S("ab"), S("ab")), 0);
    CHECK(str_cmp(ABSENT, S("a")) < 0);
}

TEST(a_slice_is_clamped_to_the_end)
{
    CHECK_STR(str_sub(S("hello"), 1, 3), "ell");
    CHECK_STR(str_sub(S("hello"), 3, SIZE_MAX), "lo");
    CHECK_STR(str_sub(S("hello"), 9, 1), "");
    CHECK(str_sub(ABSENT, 1, 1).p == NULL);
}

TEST(finding_gives_the_first_place_or_size_max)
{
    CHECK_INT(str_find(S("abcabc"), S("bc")), 1);
    CHECK_INT(str_find(S("abc"), S("")), 0);
    CHECK(str_find(S("abc"), S("abcd")) == SIZE_MAX);
    CHECK(str_find(ABSENT, S("a")) == SIZE_MAX);
}

TEST(trimming_takes_spaces_and_tabs_from_both_ends)
{
    CHECK_STR(str_trim(S(" \ta b\t ")), "a b");
    CHECK_STR(str_trim(S(" \t ")), "");
    CHECK_STR(str_trim(S("\na")), "\na");
}

TEST(splitting_gives_every_field_also_empty_ones)
{
    hb_str rest = S("a,,b,"), field;
    CHECK(str_split(&rest, ',', &field));
    CHECK_STR(field, "a");
    CHECK(str_split(&rest, ',', &field));
    CHECK_STR(field, "");
    CHECK(str_split(&rest, ',', &field));
    CHECK_STR(field, "b");
    CHECK(str_split(&rest, ',', &field));
    CHECK_STR(field, "");
    CHECK(!str_split(&rest, ',', &field));
}

TEST(an_empty_string_splits_into_one_empty_field_and_an_absent_one_into_none)
{
    hb_str rest = S(""), field;
    CHECK(str_split(&rest, ',', &field));
    CHECK_INT(field.n, 0);
    CHECK(!str_split(&rest, ',', &field));
    CHECK(rest.p == NULL);
}

TEST(a_copy_is_its_own_memory_with_a_nul_behind_it)
{
    char original[] = "abc";
    hb_str copy = str_copy((hb_str){original, 3});
    original[0] = 'x';
    CHECK_STR(copy, "abc");
    CHECK_INT(copy.p[3], 0);
    free((void *)(uintptr_t)copy.p);
    CHECK(str_copy(ABSENT).p == NULL);
}

TEST(what_is_put_stands_behind_what_was_put_before_and_absent_stays_absent)
{
    char bytes[8], *at = bytes;
    hb_str first = str_put(&at, S("abc")), none = str_put(&at, ABSENT), last = str_put(&at, S("de"));
    CHECK_STR(first, "abc");
    CHECK(none.p == NULL);
    CHECK_STR(last, "de");
    CHECK(first.p == bytes && last.p == bytes + 3 && at == bytes + 5);
}

TEST(what_is_put_with_a_nul_is_a_c_string_too)
{
    char bytes[8] = "xxxxxxx", *at = bytes;
    hb_str first = str_put_z(&at, S("ab")), none = str_put_z(&at, ABSENT), last = str_put_z(&at, S(""));
    CHECK_STR(first, "ab");
    CHECK(none.p == NULL);
    CHECK(last.p == bytes + 3 && last.n == 0 && at == bytes + 4);
    CHECK(!memcmp(bytes, "ab\0\0xxx", 8));
}

TEST(numbers_are_whole_strings_of_digits_without_overflow)
{
    uint64_t v = 7;
    CHECK(str_u64(S("18446744073709551615"), &v));
    CHECK(v == UINT64_MAX);
    v = 7;
    CHECK(!str_u64(S("18446744073709551616"), &v));
    CHECK(!str_u64(S("99999999999999999999"), &v));
    CHECK(!str_u64(S(""), &v));
    CHECK(!str_u64(S("-1"), &v));
    CHECK(!str_u64(S("1 "), &v));
    CHECK_INT(v, 7);
    CHECK(str_u64(S("007"), &v));
    CHECK_INT(v, 7);
}

TEST(secrets_compare_as_other_strings_do)
{
    CHECK(str_eq_secret(S("s3cret"), S("s3cret")));
    CHECK(!str_eq_secret(S("s3cret"), S("s3creT")));
    CHECK(!str_eq_secret(S("s3cret"), S("s3cret2")));
    CHECK(!str_eq_secret(S(""), S("x")));
    CHECK(str_eq_secret(S(""), S("")));
}

TEST(a_star_matches_any_run_also_none)
{
    CHECK(str_glob(S("*"), S("")));
    CHECK(str_glob(S("a*"), S("a")));
    CHECK(str_glob(S("a*c"), S("abcbc")));
    CHECK(str_glob(S("*b*"), S("abc")));
    CHECK(str_glob(S("a**c"), S("ac")));
    CHECK(str_glob(S("chat:*:log"), S("chat:1:log:log")));
}

TEST(a_pattern_matches_the_whole_name_and_its_case)
{
    CHECK(!str_glob(S("a"), S("ab")));
    CHECK(!str_glob(S("ab"), S("a")));
    CHECK(!str_glob(S("*b"), S("abc")));
    CHECK(!str_glob(S("A"), S("a")));
    CHECK(!str_glob(S(""), S("a")));
    CHECK(str_glob(S(""), S("")));
    CHECK(!str_glob(S("a?"), S("ab")));
}

/* The plain recursive definition, to check the fast one against. */
static bool glob_model(const char *p, const char *n)
{
    if (*p == '\0')
        return *n == '\0';
    if (*p == '*')
        return glob_model(p + 1, n) || (*n && glob_model(p, n + 1));
    return *p == *n && glob_model(p + 1, n + 1);
}

TEST(globbing_agrees_with_its_definition_on_all_short_inputs)
{
    for (unsigned code = 0; code < 3 * 3 * 3 * 3 * 3 * 64; code++) {
        char pattern[6] = {0}, name[7] = {0};
        unsigned rest = code;
        for (int i = 0; i < 5; i++, rest /= 3)
            pattern[i] = "ab*"[rest % 3];
        for (int i = 0; i < 6; i++, rest /= 2)
            name[i] = "ab"[rest % 2];
        for (size_t n = 0; n <= 6; n++) {
            char cut[7] = {0};
            memcpy(cut, name, n);
            CHECK(str_glob(str_of(pattern), str_of(cut)) == glob_model(pattern, cut));
        }
    }
}

TEST(distance_counts_single_byte_edits)
{
    CHECK_INT(str_distance(S("kitten"), S("sitting")), 3);
    CHECK_INT(str_distance(S("port"), S("prot")), 2);
    CHECK_INT(str_distance(S(""), S("abc")), 3);
    CHECK_INT(str_distance(S("abc"), S("")), 3);
    CHECK_INT(str_distance(S("same"), S("same")), 0);
}

TEST(distance_refuses_more_than_64_bytes)
{
    char longer[65];
    memset(longer, 'a', sizeof longer);
    CHECK_INT(str_distance((hb_str){longer, 64}, S("")), 64);
    CHECK(str_distance((hb_str){longer, 65}, S("")) == SIZE_MAX);
    CHECK(str_distance(S(""), (hb_str){longer, 65}) == SIZE_MAX);
}
