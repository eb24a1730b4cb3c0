#include "base/map.h"
#include "base/rand.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

#define S(literal) HB_STR(literal)

struct thing {
    hb_str key;
};

static hb_str key_of(const void *thing)
{
    return ((const struct thing *)thing)->key;
}

TEST(what_was_put_is_found_under_equal_bytes_only)
{
    struct map m = MAP_INIT(key_of);
    struct thing a = {S("x")}, b = {{"x\0y", 3}};
    CHECK(map_get(&m, S("x")) == NULL);
    CHECK(map_put(&m, &a) == NULL);
    CHECK(map_put(&m, &b) == NULL);
    char other[] = "x";
    CHECK(map_get(&m, (hb_str){other, 1}) == &a);
    CHECK(map_get(&m, (hb_str){"x\0y", 3}) == &b);
    CHECK(map_get(&m, S("X")) == NULL);
    CHECK_INT(m.count, 2);
    map_finish(&m);
}

TEST(replacing_gives_back_the_old_value_and_needs_it_no_more)
{
    struct map m = MAP_INIT(key_of);
    struct thing a = {S("key")}, b = {S("key")};
    map_put(&m, &a);
    CHECK(map_put(&m, &b) == &a);
    a.key = S("gone");
    CHECK(map_get(&m, S("key")) == &b);
    CHECK_INT(m.count, 1);
    map_finish(&m);
}

TEST(the_empty_string_is_a_key_like_others)
{
    struct map m = MAP_INIT(key_of);
    struct thing a = {{NULL, 0}};
    size_t pos = 0;
    map_put(&m, &a);
    CHECK(map_get(&m, S("")) == &a);
    CHECK(map_next(&m, &pos) == &a);
    CHECK(map_next(&m, &pos) == NULL);
    CHECK(map_remove(&m, S("")) == &a);
    map_finish(&m);
}

enum { KEYS = 300, MANY = 1000 };

static void name_things(struct thing *things, char names[][16], int n)
{
    for (int i = 0; i < n; i++)
        things[i].key = (hb_str){names[i], (size_t)snprintf(names[i], 16, "%d", i)};
}

TEST(removing_all_gives_the_memory_back)
{
    struct map m = MAP_INIT(key_of);
    static char names[MANY][16];
    static struct thing things[MANY];
    name_things(things, names, MANY);
    for (int i = 0; i < MANY; i++)
        map_put(&m, &things[i]);
    CHECK(m.cap >= 1024);
    for (int i = 0; i < MANY; i++)
        CHECK(map_remove(&m, things[i].key) == &things[i]);
    CHECK_INT(m.count, 0);
    CHECK(m.values == NULL && m.hashes == NULL);
    CHECK(map_remove(&m, S("1")) == NULL);
    CHECK(map_put(&m, &things[1]) == NULL && map_get(&m, S("1")) == &things[1]);
    map_finish(&m);
}

static void check_same(const struct map *m, const struct thing *names, void *const model[KEYS])
{
    size_t pos = 0, seen = 0, want = 0;
    while (map_next(m, &pos))
        seen++;
    for (int i = 0; i < KEYS; i++) {
        CHECK(map_get(m, names[i].key) == model[i]);
        want += model[i] != NULL;
    }
    CHECK_INT(seen, want);
    CHECK_INT(m->count, want);
}

TEST(random_puts_and_removes_agree_with_a_plain_array)
{
    struct map m;
    static char names[KEYS][16];
    static struct thing things[2][KEYS]; /* two values for each key */
    void *model[KEYS] = {NULL};
    map_init(&m, key_of);
    name_things(things[0], names, KEYS);
    name_things(things[1], names, KEYS);
    for (int step = 0; step < 60000; step++) {
        /* Waves: mostly puts, then mostly removes, so that the table grows and shrinks. */
        bool put = rand_below(10) < (step / 2000 % 2 ? 2 : 8);
        size_t i = rand_below(KEYS);
        struct thing *value = &things[rand_below(2)][i];
        CHECK((put ? map_put(&m, value) : map_remove(&m, value->key)) == model[i]);
        model[i] = put ? value : NULL;
        if (step % 97 == 0)
            check_same(&m, things[0], model);
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
