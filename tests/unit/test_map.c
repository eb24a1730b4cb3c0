#include "base/map.h"
#include "base/rand.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

#define S(literal) HB_STR(literal)

TEST(what_was_put_is_found_under_equal_bytes_only)
{
    struct map m;
    int a, b;
    map_init(&m);
    CHECK(map_get(&m, S("x")) == NULL);
    CHECK(map_put(&m, S("x"), &a) == NULL);
    CHECK(map_put(&m, (hb_str){"x\0y", 3}, &b) == NULL);
    char other[] = "x";
    CHECK(map_get(&m, (hb_str){other, 1}) == &a);
    CHECK(map_get(&m, (hb_str){"x\0y", 3}) == &b);
    CHECK(map_get(&m, S("X")) == NULL);
    CHECK_INT(m.count, 2);
    map_finish(&m);
}

TEST(replacing_gives_back_the_old_value_and_borrows_the_new_key)
{
    struct map m;
    int a, b;
    char first[] = "key", second[] = "key";
    map_init(&m);
    map_put(&m, (hb_str){first, 3}, &a);
    CHECK(map_put(&m, (hb_str){second, 3}, &b) == &a);
    memset(first, 0, sizeof first);
    CHECK(map_get(&m, S("key")) == &b);
    CHECK_INT(m.count, 1);
    map_finish(&m);
}

TEST(the_empty_string_is_a_key_like_others)
{
    struct map m;
    int a;
    size_t pos = 0;
    map_init(&m);
    map_put(&m, (hb_str){NULL, 0}, &a);
    CHECK(map_get(&m, S("")) == &a);
    struct map_entry *e = map_next(&m, &pos);
    CHECK(e && e->key.p && e->key.n == 0 && e->value == &a);
    CHECK(map_remove(&m, S("")) == &a);
    map_finish(&m);
}

TEST(removing_all_gives_the_memory_back)
{
    struct map m;
    char names[1000][16];
    map_init(&m);
    for (int i = 0; i < 1000; i++)
        map_put(&m, (hb_str){names[i], (size_t)snprintf(names[i], 16, "%d", i)}, names[i]);
    CHECK(m.cap >= 1024);
    for (int i = 0; i < 1000; i++)
        CHECK(map_remove(&m, (hb_str){names[i], strlen(names[i])}) == names[i]);
    CHECK_INT(m.count, 0);
    CHECK(m.entries == NULL && m.hashes == NULL);
    CHECK(map_remove(&m, S("1")) == NULL);
}

enum { KEYS = 300 };

static void check_same(const struct map *m, char names[KEYS][16], void *const model[KEYS])
{
    size_t pos = 0, seen = 0, want = 0;
    struct map_entry *e;
    while ((e = map_next(m, &pos)))
        seen++;
    for (int i = 0; i < KEYS; i++) {
        CHECK(map_get(m, (hb_str){names[i], strlen(names[i])}) == model[i]);
        want += model[i] != NULL;
    }
    CHECK_INT(seen, want);
    CHECK_INT(m->count, want);
}

TEST(random_puts_and_removes_agree_with_a_plain_array)
{
    struct map m;
    char names[KEYS][16];
    void *model[KEYS] = {NULL};
    map_init(&m);
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "k%d", i);
    for (int step = 0; step < 60000; step++) {
        /* Waves: mostly puts, then mostly removes, so that the table grows and shrinks. */
        bool put = rand_below(10) < (step / 2000 % 2 ? 2 : 8);
        size_t i = rand_below(KEYS);
        hb_str key = {names[i], strlen(names[i])};
        void *value = &model[rand_below(KEYS)];
        CHECK((put ? map_put(&m, key, value) : map_remove(&m, key)) == model[i]);
        model[i] = put ? value : NULL;
        if (step % 97 == 0)
            check_same(&m, names, model);
    }
    map_finish(&m);
}

TEST(siphash_gives_known_values)
{
    /* From an independent implementation: key of zeros, then key 00 01 … 0f. */
    static const uint8_t ZERO[16] = {0};
    static const uint8_t COUNT[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    CHECK(hash_siphash13(S("abc"), ZERO) == 0xc03bc3a0042630f2);
    CHECK(hash_siphash13(S("hello world, hubbub"), ZERO) == 0x41d8ad537ec3c50d);
    CHECK(hash_siphash13((hb_str){NULL, 0}, COUNT) == 0xabac0158050fc4dc);
}

TEST(the_stable_hash_never_changes)
{
    CHECK(hash_stable(S("room")) == 0x70a0cb558669af6f);
}

TEST(random_numbers_stay_below_their_bound_and_reach_all_of_it)
{
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rand_below(7);
        CHECK(v < 7);
        seen |= 1u << v;
    }
    CHECK_INT(seen, 0x7f);
    CHECK_INT(rand_below(1), 0);
}
