#include "out/cursor.h"
#include "base/rand.h"
#include "base/str.h"
#include "unit.h"
#include <string.h>

static hb_str one(hb_str room, uint64_t hi, uint64_t lo, char *text)
{
    return (hb_str){text, cursor_write_one(room, (hb_pos){hi, lo}, text, 64)};
}

static void check_at(hb_str cursor, hb_str room, uint64_t lo)
{
    hb_pos pos = {0, 0};
    CHECK_INT(cursor_find(cursor, room, &pos), 1);
    CHECK_INT(pos.lo, lo);
}

TEST(a_composite_names_each_of_its_rooms_and_no_other)
{
    struct cursor_writer w;
    struct buf out = BUF_INIT;
    hb_pos pos;
    cursor_begin(&w, 7);
    cursor_add(&w, hash_stable(HB_STR("a")), (hb_pos){1, 10});
    cursor_add(&w, hash_stable(HB_STR("b")), (hb_pos){1, 20});
    cursor_end(&w, &out);
    check_at(buf_view(&out), HB_STR("a"), 10);
    check_at(buf_view(&out), HB_STR("b"), 20);
    CHECK_INT(cursor_find(buf_view(&out), HB_STR("c"), &pos), 0);
    CHECK_INT(cursor_find(HB_STR("no cursor"), HB_STR("c"), &pos), -1);
    buf_finish(&out);
}

TEST(a_composite_of_128_rooms_fits_in_4_kb)
{
    struct cursor_writer w;
    struct buf out = BUF_INIT;
    char room[64];
    cursor_begin(&w, 1u << 20);
    for (int i = 0; i < 128; i++) {
        memset(room, 'a' + i % 26, sizeof(room));
        room[0] = (char)i;
        cursor_add(&w, hash_stable((hb_str){room, sizeof(room)}), (hb_pos){1700000000000, 1u << 30});
    }
    cursor_end(&w, &out);
    CHECK(out.n <= 4096);
    buf_finish(&out);
}

TEST(merged_cursors_name_what_each_of_them_named_and_the_first_wins)
{
    char a[64], b[64], again[64];
    const hb_str all[] = {one(HB_STR("a"), 1, 10, a), HB_STR("no cursor"), one(HB_STR("b"), 1, 20, b),
        one(HB_STR("a"), 1, 30, again)};
    struct buf out = BUF_INIT;
    CHECK_INT(cursor_merge(all, 4, &out), 3);
    CHECK_INT(out.n, 30);
    check_at(buf_view(&out), HB_STR("a"), 10);
    check_at(buf_view(&out), HB_STR("b"), 20);
    buf_finish(&out);
}

TEST(what_is_no_cursor_merges_to_nothing)
{
    const hb_str all[] = {HB_STR(""), HB_STR("AQ"), HB_STR("AQAB"), HB_STR("%%%")};
    struct buf out = BUF_INIT;
    CHECK_INT(cursor_merge(all, 4, &out), 0);
    CHECK_INT(cursor_merge(NULL, 0, &out), 0);
    CHECK_INT(out.n, 0);
    buf_finish(&out);
}

TEST(merging_leaves_out_what_is_too_much_for_a_cursor)
{
    struct cursor_writer w;
    struct buf big = BUF_INIT, out = BUF_INIT;
    char room[16] = {0}, small[64];
    cursor_begin(&w, 0);
    for (int i = 0; i < CURSOR_ENTRIES_MAX; i++) {
        room[0] = (char)i;
        room[1] = (char)(i >> 8);
        cursor_add(&w, hash_stable((hb_str){room, sizeof(room)}), (hb_pos){1, 1});
    }
    cursor_end(&w, &big);
    const hb_str all[] = {buf_view(&big), one(HB_STR("late"), 1, 1, small)};
    hb_pos pos;
    CHECK_INT(cursor_merge(all, 2, &out), 2);
    CHECK_INT(cursor_find(buf_view(&out), HB_STR("late"), &pos), 0);
    check_at(buf_view(&out), (hb_str){room, sizeof(room)}, 1);
    buf_finish(&big);
    buf_finish(&out);
}
