#include "base/wheel.h"
#include "base/check.h"
#include "base/rand.h"
#include "unit.h"

/* A timer that notes when it fired. */
struct probe {
    struct timer timer;
    struct wheel *wheel;
    uint64_t set_due;  /* the tick at which it counts as due; 0: not set */
    unsigned fired;
    uint64_t again_ms; /* set again, this long after now, when it fires */
};

static void on_fire(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);
    CHECK(!timer_is_set(t));
    p->fired++;
    if (p->again_ms)
        timer_set(p->wheel, t, p->wheel->now_ms + p->again_ms);
}

static void probe_init(struct probe *p, struct wheel *w)
{
    *p = (struct probe){.wheel = w};
    timer_init(&p->timer, on_fire);
}

TEST(a_timer_fires_once_at_its_time_and_not_before)
{
    static const uint64_t SPANS[] = {1, 63, 64, 65, 4095, 4096, 262144, 16777216, 1073741823, 1073741824,
        200000000000};
    for (size_t i = 0; i < sizeof SPANS / sizeof *SPANS; i++) {
        struct wheel w;
        struct probe p;
        wheel_init(&w, 1234567);
        probe_init(&p, &w);
        timer_set(&w, &p.timer, 1234567 + SPANS[i]);
        wheel_advance(&w, 1234567 + SPANS[i] - 1);
        CHECK_INT(p.fired, 0);
        wheel_advance(&w, 1234567 + SPANS[i]);
        CHECK_INT(p.fired, 1);
        CHECK(!timer_is_set(&p.timer));
        wheel_advance(&w, 1234567 + 3 * SPANS[i]);
        CHECK_INT(p.fired, 1);
        CHECK_INT(w.count, 0);
    }
}

TEST(a_time_already_past_fires_at_the_next_advance_even_at_the_same_moment)
{
    struct wheel w;
    struct probe p;
    wheel_init(&w, 1000);
    probe_init(&p, &w);
    timer_set(&w, &p.timer, 10);
    CHECK_INT(wheel_wait_ms(&w, 1000, 50), 0);
    wheel_advance(&w, 1000);
    CHECK_INT(p.fired, 1);
}

TEST(setting_again_moves_and_cancelling_is_harmless_when_unset)
{
    struct wheel w;
    struct probe p;
    wheel_init(&w, 0);
    probe_init(&p, &w);
    timer_cancel(&w, &p.timer);
    timer_set(&w, &p.timer, 10);
    timer_set(&w, &p.timer, 20);
    CHECK_INT(w.count, 1);
    wheel_advance(&w, 15);
    CHECK_INT(p.fired, 0);
    timer_cancel(&w, &p.timer);
    timer_cancel(&w, &p.timer);
    wheel_advance(&w, 100);
    CHECK_INT(p.fired, 0);
    CHECK_INT(w.count, 0);
}

TEST(a_timer_that_sets_itself_to_now_fires_at_the_next_advance_only)
{
    struct wheel w;
    struct probe p;
    wheel_init(&w, 0);
    probe_init(&p, &w);
    p.again_ms = 1;
    timer_set(&w, &p.timer, 1);
    wheel_advance(&w, 500);
    CHECK_INT(p.fired, 1);
    wheel_advance(&w, 501);
    CHECK_INT(p.fired, 2);
}

static void on_cancel_next(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);
    p->fired++;
    timer_cancel(p->wheel, &p[1].timer);
}

TEST(a_callback_may_cancel_one_that_is_due_at_the_same_time)
{
    struct wheel w;
    struct probe p[3];
    wheel_init(&w, 0);
    for (int i = 0; i < 3; i++)
        probe_init(&p[i], &w);
    p[0].timer.fire = on_cancel_next;
    for (int i = 0; i < 3; i++)
        timer_set(&w, &p[i].timer, 70);
    wheel_advance(&w, 100);
    CHECK_INT(p[0].fired, 1);
    CHECK_INT(p[1].fired, 0);
    CHECK_INT(p[2].fired, 1);
    CHECK_INT(w.count, 0);
}

TEST(an_empty_wheel_waits_as_long_as_allowed)
{
    struct wheel w;
    wheel_init(&w, 77);
    CHECK_INT(wheel_wait_ms(&w, 77, 1000), 1000);
    wheel_advance(&w, 1000000);
    CHECK_INT(wheel_wait_ms(&w, 1000000, 1000), 1000);
}

TEST(a_clock_that_steps_back_does_no_harm)
{
    struct wheel w;
    struct probe p;
    wheel_init(&w, 1000);
    probe_init(&p, &w);
    timer_set(&w, &p.timer, 1010);
    wheel_advance(&w, 900);
    CHECK_INT(p.fired, 0);
    wheel_advance(&w, 1010);
    CHECK_INT(p.fired, 1);
}

/* --- Against a model: a plain array of due ticks, looked through from end to end --------------- */

enum { PROBES = 200 };

struct world {
    struct wheel wheel;
    struct probe probes[PROBES];
    uint64_t now, last_tick, target;
};
static struct world world;

static void set(struct probe *p, uint64_t due)
{
    timer_set(&world.wheel, &p->timer, due);
    p->set_due = due > world.wheel.now_ms ? due : world.wheel.now_ms;
}

static uint64_t random_span(void)
{
    return rand_below((uint64_t)1 << rand_below(36));
}

static void disturb(void)
{
    struct probe *p = &world.probes[rand_below(PROBES)];
    if (rand_below(3)) {
        set(p, world.now > 5 && !rand_below(8) ? world.now - 5 : world.now + random_span());
    } else {
        timer_cancel(&world.wheel, &p->timer);
        p->set_due = 0;
    }
}

static void on_model_fire(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);
    CHECK(p->set_due != 0);                /* set, in the model too */
    CHECK(p->set_due <= world.target);     /* due */
    CHECK(p->set_due >= world.last_tick);  /* in order */
    world.last_tick = p->set_due;
    p->set_due = 0;
    p->fired++;
    if (!rand_below(4))
        set(p, world.target - rand_below(2)); /* past: for the next advance */
    if (!rand_below(2))
        disturb();
}

static uint64_t earliest_due(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < PROBES; i++)
        if (world.probes[i].set_due && world.probes[i].set_due < least)
            least = world.probes[i].set_due;
    return least;
}

static void advance_model(uint64_t to)
{
    unsigned fired[PROBES];
    bool due[PROBES];
    for (int i = 0; i < PROBES; i++) {
        fired[i] = world.probes[i].fired;
        due[i] = world.probes[i].set_due && world.probes[i].set_due <= to;
    }
    world.target = world.now = to;
    world.last_tick = 0;
    wheel_advance(&world.wheel, to);
    size_t left = 0;
    for (int i = 0; i < PROBES; i++) {
        struct probe *p = &world.probes[i];
        CHECK(p->fired - fired[i] <= due[i]);
        CHECK(timer_is_set(&p->timer) == (p->set_due != 0));
        CHECK(p->set_due == 0 || p->set_due >= to); /* nothing due was forgotten */
        left += p->set_due != 0;
    }
    CHECK_INT(world.wheel.count, left);
}

TEST(random_timers_agree_with_a_plain_list)
{
    world.now = rand_below((uint64_t)1 << 40) + 1;
    wheel_init(&world.wheel, world.now);
    for (int i = 0; i < PROBES; i++) {
        probe_init(&world.probes[i], &world.wheel);
        world.probes[i].timer.fire = on_model_fire;
    }
    for (int step = 0; step < 100000; step++) {
        disturb();
        if (rand_below(3))
            continue;
        uint64_t due = earliest_due();
        uint64_t wait = wheel_wait_ms(&world.wheel, world.now, (uint64_t)1 << 38);
        CHECK(world.now + wait <= due || wait == (uint64_t)1 << 38);
        CHECK((wait == 0) == (due <= world.now));
        advance_model(world.now + (rand_below(2) ? wait : random_span()));
    }
}

TEST(sleeping_as_told_reaches_a_far_timer_in_a_few_wakes)
{
    struct wheel w;
    struct probe p;
    uint64_t now = 123456789;
    int wakes = 0;
    wheel_init(&w, now);
    probe_init(&p, &w);
    timer_set(&w, &p.timer, now + 987654321);
    for (; !p.fired; wakes++) {
        now += wheel_wait_ms(&w, now, UINT64_MAX);
        wheel_advance(&w, now);
    }
    CHECK_INT(now, 123456789 + 987654321);
    CHECK(wakes <= WHEEL_LEVELS);
}

TEST(the_end_of_time_is_a_time_like_others)
{
    struct wheel w;
    struct probe p;
    wheel_init(&w, 5);
    probe_init(&p, &w);
    timer_set(&w, &p.timer, UINT64_MAX);
    wheel_advance(&w, (uint64_t)1 << 31);
    CHECK_INT(p.fired, 0);
    CHECK(timer_is_set(&p.timer));
    timer_cancel(&w, &p.timer);
    CHECK_INT(w.count, 0);
    CHECK_INT(wheel_wait_ms(&w, w.now_ms, 9), 9);
}
