/* What auth-jwt remembers: verified tokens, sessions to be warned, tokens that wait for keys. */
#include "../../plugins/auth-jwt/cache.h"
#include "../../plugins/auth-jwt/expiry.h"
#include "../../plugins/auth-jwt/waiting.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct claims *some_claims(size_t size)
{
    struct claims *c = calloc(1, sizeof(*c) + size);
    c->size = sizeof(*c) + size;
    return c;
}

static struct cache_key key_of(int i)
{
    char token[32];
    int n = snprintf(token, sizeof(token), "token %d", i);
    return cache_key((hb_str){token, (size_t)n});
}

static bool put(struct cache *c, int i, uint64_t now_ms)
{
    struct cache_key key = key_of(i);
    struct claims *claims = some_claims(0);
    claims->issued_at = i;
    bool taken = cache_put(c, &key, claims, now_ms);
    if (!taken)
        claims_free(claims);
    return taken;
}

static const struct claims *get(struct cache *c, int i, uint64_t now_ms)
{
    struct cache_key key = key_of(i);
    return cache_get(c, &key, now_ms);
}

TEST(a_token_is_remembered_for_its_time)
{
    struct cache *c = cache_create(16, 1000);
    CHECK(put(c, 1, 5000));
    CHECK(get(c, 1, 5999) && get(c, 1, 5999)->issued_at == 1);
    CHECK(!get(c, 1, 6000));
    CHECK(!get(c, 2, 5000));
    cache_destroy(c);
}

TEST(a_token_put_again_takes_one_place_only)
{
    struct cache *c = cache_create(4, 1000);
    for (int i = 0; i < 4; i++)
        CHECK(put(c, i, 1));
    CHECK(put(c, 2, 2));
    for (int i = 0; i < 4; i++)
        CHECK(get(c, i, 3));
    cache_destroy(c);
}

TEST(the_oldest_makes_room)
{
    struct cache *c = cache_create(4, 1000);
    for (int i = 0; i < 5; i++)
        CHECK(put(c, i, (uint64_t)(10 + i)));
    CHECK(!get(c, 0, 20));
    for (int i = 1; i < 5; i++)
        CHECK(get(c, i, 20));
    cache_destroy(c);
}

TEST(the_cache_never_grows_past_its_bound)
{
    struct cache *c = cache_create(64, 100000);
    int kept = 0;
    for (int i = 0; i < 5000; i++)
        CHECK(put(c, i, (uint64_t)i));
    for (int i = 0; i < 5000; i++)
        kept += get(c, i, 5000) != NULL;
    CHECK(kept <= 64);
    CHECK(kept >= 32);
    cache_destroy(c);
}

TEST(big_claims_are_not_remembered)
{
    struct cache *c = cache_create(16, 1000);
    struct cache_key key = key_of(1);
    struct claims *big = some_claims(CACHE_CLAIMS_MAX);
    CHECK(!cache_put(c, &key, big, 0));
    claims_free(big);
    cache_destroy(c);
}

TEST(a_cache_of_nothing_remembers_nothing)
{
    struct cache *none = cache_create(0, 1000), *brief = cache_create(16, 0);
    CHECK(!put(none, 1, 0) && !get(none, 1, 0));
    CHECK(!put(brief, 1, 0) && !get(brief, 1, 0));
    cache_destroy(none);
    cache_destroy(brief);
}

TEST(a_cleared_cache_is_empty)
{
    struct cache *c = cache_create(16, 1000);
    CHECK(put(c, 1, 0));
    cache_clear(c);
    CHECK(!get(c, 1, 0));
    cache_destroy(c);
}

/* ---- Warnings. */

static int64_t all_live(void *arg, const struct expiry_entry *e)
{
    return 1;
}

static int64_t odd_live(void *arg, const struct expiry_entry *e)
{
    return e->sid % 2;
}

TEST(the_next_session_to_be_warned_comes_first)
{
    struct expiry e = {0};
    uint32_t state = 1;
    for (hb_sid i = 0; i < 500; i++) {
        state = state * 1664525u + 1013904223u;
        CHECK(expiry_push(&e, (struct expiry_entry){state >> 8, i, 0}, all_live, NULL));
    }
    int64_t last = 0;
    for (int i = 0; i < 500; i++) {
        CHECK(expiry_first(&e)->warn_ms >= last);
        last = expiry_first(&e)->warn_ms;
        expiry_pop(&e);
    }
    CHECK(!expiry_first(&e));
    expiry_finish(&e);
}

TEST(sessions_that_are_gone_do_not_pile_up)
{
    struct expiry e = {0};
    for (hb_sid i = 0; i < 100000; i++)
        CHECK(expiry_push(&e,
            (struct expiry_entry){(int64_t)(100000 - i), i % 200 ? 2 : 2 * i + 1, 0}, odd_live,
            NULL));
    CHECK(e.n < 5000);
    size_t live = 0;
    for (; expiry_first(&e); expiry_pop(&e))
        live += expiry_first(&e)->sid % 2;
    CHECK_INT(live, 500);
    expiry_finish(&e);
}

TEST(a_short_token_is_warned_of_at_half_time)
{
    CHECK_INT(expiry_warn_at(0, 3600000, 60000), 3540000);
    CHECK_INT(expiry_warn_at(0, 30000, 60000), 15000);
    CHECK_INT(expiry_warn_at(1000, 3000, 60000), 2000);
    CHECK(expiry_warn_at(1000, 3000, 0) == INT64_MAX);
}

/* ---- Tokens that wait. */

TEST(waiting_tokens_are_answered_in_order_when_their_turn_is_over)
{
    struct waiting w = {0};
    waiting_add(&w, HB_STR("a"), 1);
    waiting_add(&w, HB_STR("b"), 2);
    waiting_add(&w, HB_STR("c"), 1);
    struct wait *taken = waiting_take(&w, 1);
    CHECK(taken && taken->token[0] == 'a' && taken->next && taken->next->token[0] == 'c' &&
          !taken->next->next);
    CHECK_INT(w.n, 1);
    free(taken->next);
    free(taken);
    taken = waiting_take(&w, UINT64_MAX);
    CHECK(taken && taken->token[0] == 'b' && !taken->next);
    free(taken);
    CHECK_INT(w.n, 0);
    CHECK_INT(w.bytes, 0);
}

TEST(waiting_tokens_are_bounded_in_number_and_bytes)
{
    struct waiting w = {0};
    static char big[16 * 1024];
    size_t n = 0;
    memset(big, 'x', sizeof(big));
    while (waiting_add(&w, (hb_str){big, sizeof(big)}, 1))
        n++;
    CHECK_INT(n, WAITING_BYTES_MAX / sizeof(big));
    while (waiting_add(&w, HB_STR(""), 1))
        n++;
    CHECK_INT(n, WAITING_MAX);
    struct wait *next;
    for (struct wait *x = waiting_take(&w, 1); x; x = next) {
        next = x->next;
        free(x);
    }
}
