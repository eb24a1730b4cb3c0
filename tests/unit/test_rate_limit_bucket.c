/* Buckets and the table of shared ones: arithmetic, aging, floods, threads. */
#include "../../plugins/rate-limit/table.h"
#include "../../plugins/rate-limit/hash.h"
#include "unit.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000000 };
static const uint64_t START = 1000ull * SECOND;

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* ---- One bucket. */

static bool takes(uint64_t *full, const struct bucket_limit *l, uint64_t n, uint64_t now)
{
    uint64_t wait;
    return bucket_take(full, l, n, now, 0, &wait) == BUCKET_TAKEN;
}

TEST(a_full_bucket_gives_its_burst_and_not_one_more)
{
    struct bucket_limit l = bucket_limit(3, 10);
    uint64_t full = 0, wait;
    for (int i = 0; i < 10; i++)
        CHECK(takes(&full, &l, 1, START));
    CHECK_INT(bucket_take(&full, &l, 1, START, 0, &wait), BUCKET_EMPTY);
    CHECK_INT(wait / 1000, 333333);
}

TEST(tokens_come_back_at_the_rate)
{
    struct bucket_limit l = bucket_limit(4, 2);
    uint64_t full = 0;
    CHECK(takes(&full, &l, 2, START));
    CHECK(!takes(&full, &l, 1, START + SECOND / 4 - 1));
    CHECK(takes(&full, &l, 1, START + SECOND / 4));
    CHECK(!takes(&full, &l, 1, START + SECOND / 4));
    CHECK(takes(&full, &l, 2, START + 100ull * SECOND));
    CHECK(!takes(&full, &l, 1, START + 100ull * SECOND));
}

TEST(the_wait_that_is_told_is_enough_and_not_too_long)
{
    struct bucket_limit l = bucket_limit(7, 20);
    uint64_t full = 0, wait = 0;
    CHECK(takes(&full, &l, 20, START));
    CHECK_INT(bucket_take(&full, &l, 5, START, 0, &wait), BUCKET_EMPTY);
    CHECK(!takes(&full, &l, 5, START + wait - 1));
    CHECK(takes(&full, &l, 5, START + wait));
}

TEST(more_than_the_burst_is_never_given)
{
    struct bucket_limit l = bucket_limit(1000, 10);
    uint64_t full = 0, wait;
    CHECK_INT(bucket_take(&full, &l, 11, START, 0, &wait), BUCKET_NEVER);
    CHECK_INT(full, 0);
    CHECK_INT(bucket_take(&full, &l, UINT64_MAX, START, 0, &wait), BUCKET_NEVER);
}

TEST(with_patience_tokens_are_taken_before_they_come)
{
    struct bucket_limit l = bucket_limit(10, 1);
    uint64_t full = 0, wait;
    CHECK(takes(&full, &l, 1, START));
    CHECK_INT(bucket_take(&full, &l, 1, START, SECOND / 5, &wait), BUCKET_TAKEN);
    CHECK_INT(wait, SECOND / 10);
    CHECK_INT(bucket_take(&full, &l, 1, START, SECOND / 5, &wait), BUCKET_TAKEN);
    CHECK_INT(wait, SECOND / 5);
    CHECK_INT(bucket_take(&full, &l, 1, START, SECOND / 5, &wait), BUCKET_EMPTY);
    CHECK_INT(wait, 3 * (SECOND / 10));
}

TEST(a_faster_rate_helps_at_once)
{
    struct bucket_limit slow = bucket_limit(1.0 / 60, 10), fast = bucket_limit(100, 10);
    uint64_t full = 0;
    CHECK(takes(&full, &slow, 10, START));
    CHECK(!takes(&full, &fast, 1, START));
    CHECK(takes(&full, &fast, 1, START + SECOND / 100));
}

TEST(rates_of_any_size_stay_within_their_numbers)
{
    static const double rates[] = {1e-12, 1.0 / 3600, 1, 1e6, 1e12};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct bucket_limit l = bucket_limit(rates[i], 1e9);
        uint64_t full = 0, wait, now = START;
        for (int j = 0; j < 1000; j++) {
            bucket_take(&full, &l, random_below(1000000000) + 1, now, random_below(SECOND), &wait);
            CHECK(full >= START - START % 2 || full == 0);
            CHECK(wait < 4e18);
            now += random_below(SECOND);
        }
    }
}

/* The textbook bucket: a level that rises with time. Told what was really taken, so that a
 * nanosecond lost in rounding does not add up. */
static bool textbook(double rate, double burst, uint64_t full, double n, uint64_t now, bool *sure)
{
    double missing = full > now ? (double)(full - now) / 1e9 * rate : 0;
    *sure = fabs(burst - missing - n) > 1e-3;
    return burst - missing >= n;
}

static void play(double rate, double burst)
{
    struct bucket_limit l = bucket_limit(rate, burst);
    uint64_t full = 0, now = START, pause = (uint64_t)(burst / rate * 1e9) / 4 + 1;
    double taken = 0;
    for (int i = 0; i < 20000; i++) {
        bool sure;
        uint64_t n = random_below((uint64_t)burst) + 1;
        now += random_below(3) ? random_below(pause / 16 + 1) : random_below(pause);
        bool should = textbook(rate, burst, full, (double)n, now, &sure);
        bool did = takes(&full, &l, n, now);
        if (sure)
            CHECK_INT(did, should);
        taken += did ? (double)n : 0;
        CHECK(taken <= (burst + rate * (double)(now - START) / 1e9) * 1.0001 + 1);
    }
    CHECK(taken > rate * (double)(now - START) / 1e9 * 0.3);
}

TEST(a_bucket_does_what_the_textbook_does)
{
    for (int i = 0; i < 50; i++)
        play(pow(10, (double)random_below(80) / 10 - 3), (double)random_below(1000) + 1);
}

TEST(siphash_gives_the_published_vectors)
{
    const struct hash_secret k = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    const unsigned char in[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    CHECK(hash_bytes(&k, in, 0) == 0x726fdb47dd0e0e31);
    CHECK(hash_bytes(&k, in, 8) == 0x93f5f5799a932462);
    CHECK(hash_bytes(&k, in, 15) == 0xa129ca6149be45e5);
}

/* ---- The table. */

static const struct hash_secret secret = {{0x0123456789abcdef, 0xfedcba9876543210}};

static uint64_t key_of(uint64_t i)
{
    return hash_bytes(&secret, &i, sizeof(i));
}

static enum bucket_answer take(
    struct table *t, uint64_t who, const struct bucket_limit *l, uint64_t now, bool *evicted)
{
    uint64_t wait;
    return table_take(t, key_of(who), l, 1, now, 0, &wait, evicted);
}

TEST(each_key_has_a_bucket_of_its_own)
{
    struct table *t = table_create(1024);
    struct bucket_limit l = bucket_limit(1, 2);
    bool evicted = false;
    for (uint64_t who = 0; who < 100; who++)
        for (int i = 0; i < 3; i++)
            CHECK_INT(take(t, who, &l, START, &evicted), i < 2 ? BUCKET_TAKEN : BUCKET_EMPTY);
    CHECK(!evicted);
    table_destroy(t);
}

TEST(what_is_given_back_can_be_taken_again)
{
    struct table *t = table_create(8);
    struct bucket_limit l = bucket_limit(1, 2);
    bool evicted = false;
    CHECK_INT(take(t, 1, &l, START, &evicted), BUCKET_TAKEN);
    CHECK_INT(take(t, 1, &l, START, &evicted), BUCKET_TAKEN);
    table_give(t, key_of(1), &l, 1);
    CHECK_INT(take(t, 1, &l, START, &evicted), BUCKET_TAKEN);
    CHECK_INT(take(t, 1, &l, START, &evicted), BUCKET_EMPTY);
    table_give(t, key_of(2), &l, 1); /* unknown: nothing happens */
    table_destroy(t);
}

/* Against one exact bucket per key, as long as nobody has to make room. */
TEST(a_table_with_room_does_what_a_bucket_per_key_does)
{
    enum { KEYS = 300 };
    static uint64_t exact[KEYS];
    struct table *t = table_create(4096);
    struct bucket_limit l = bucket_limit(5, 10);
    uint64_t now = START, wait;
    bool evicted = false;
    memset(exact, 0, sizeof(exact));
    for (int i = 0; i < 200000 && !evicted; i++) {
        uint64_t who = random_below(KEYS), n = random_below(3) + 1;
        enum bucket_answer got = table_take(t, key_of(who), &l, n, now, 0, &wait, &evicted);
        CHECK_INT(got, bucket_take(&exact[who], &l, n, now, 0, &wait));
        if (random_below(10) == 0 && got == BUCKET_TAKEN) {
            table_give(t, key_of(who), &l, n);
            exact[who] -= bucket_cost(&l, n);
        }
        now += random_below(SECOND / 100);
    }
    CHECK(!evicted);
    table_destroy(t);
}

TEST(buckets_that_are_full_again_make_room)
{
    struct table *t = table_create(64);
    struct bucket_limit l = bucket_limit(10, 10);
    uint64_t now = START;
    bool evicted = false;
    for (uint64_t who = 0; who < 10000; who++, now += SECOND / 10)
        CHECK_INT(take(t, who, &l, now, &evicted), BUCKET_TAKEN);
    CHECK(!evicted);
    table_destroy(t);
}

TEST(a_flood_of_addresses_does_not_refill_the_bucket_of_one_who_used_it_up)
{
    struct table *t = table_create(1024);
    struct bucket_limit l = bucket_limit(1, 50);
    bool evicted = false;
    for (int i = 0; i < 50; i++)
        take(t, 0, &l, START, &evicted);
    for (uint64_t who = 1; who < 5000; who++) /* 40 to a set of 8, a token each */
        take(t, who, &l, START, &evicted);
    CHECK(evicted);
    CHECK_INT(take(t, 0, &l, START, &evicted), BUCKET_EMPTY);
    table_destroy(t);
}

TEST(a_flood_gets_no_more_than_the_table_holds)
{
    struct table *t = table_create(64);
    struct bucket_limit l = bucket_limit(1, 5);
    bool evicted = false;
    int got = 0;
    for (uint64_t who = 0; who < 100000; who++)
        got += take(t, who, &l, START, &evicted) == BUCKET_TAKEN;
    CHECK_INT(got, 64 * 5);
    table_destroy(t);
}

/* ---- Threads: the clock stands still, so what they get is a number. */

enum { THREADS = 4, SHARED_BURST = 1000 };

struct gang {
    struct table *table;
    uint64_t keys;
    pthread_barrier_t start;
    _Atomic int64_t got;
    bool gives;
};

static void *grab(void *arg)
{
    struct gang *g = arg;
    struct bucket_limit l = bucket_limit(1, SHARED_BURST);
    bool evicted = false;
    int64_t got = 0;
    pthread_barrier_wait(&g->start);
    for (int i = 0; i < SHARED_BURST * 2; i++)
        for (uint64_t who = 0; who < g->keys; who++) {
            bool taken = take(g->table, who, &l, START, &evicted) == BUCKET_TAKEN;
            if (taken && g->gives && i % 2)
                table_give(g->table, key_of(who), &l, 1);
            else
                got += taken;
        }
    g->got += got;
    return NULL;
}

static int64_t run_gang(uint64_t keys, bool gives)
{
    struct gang g = {.table = table_create(4096), .keys = keys, .gives = gives};
    pthread_t threads[THREADS];
    pthread_barrier_init(&g.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, grab, &g);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&g.start);
    table_destroy(g.table);
    return g.got;
}

TEST(threads_at_one_bucket_get_its_burst_together)
{
    CHECK_INT(run_gang(1, false), SHARED_BURST);
}

TEST(threads_at_many_buckets_get_each_burst_once)
{
    CHECK_INT(run_gang(100, false), 100 * SHARED_BURST);
}

TEST(threads_that_give_back_lose_nothing)
{
    CHECK_INT(run_gang(1, true), SHARED_BURST);
}
