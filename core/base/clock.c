#include "base/clock.h"
#include <time.h>

static _Thread_local struct {
    bool on;
    uint64_t mono_ms;
    int64_t wall_ms;
} fake;

static struct timespec now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t;
}

uint64_t clock_mono_us(void)
{
    if (fake.on)
        return fake.mono_ms * 1000;
    struct timespec t = now(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
    return fake.on ? fake.mono_ms : clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    if (fake.on)
        return fake.wall_ms;
    struct timespec t = now(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_fake(uint64_t mono_ms, int64_t wall_ms)
{
    fake.on = true;
    fake.mono_ms = mono_ms;
    fake.wall_ms = wall_ms;
}

void clock_fake_advance(uint64_t ms)
{
    fake.mono_ms += ms;
    fake.wall_ms += (int64_t)ms;
}

void clock_real(void)
{
    fake.on = false;
}
