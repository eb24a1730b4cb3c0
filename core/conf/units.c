#include "conf/units.h"
#include "base/str.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

/* From large to small, so that showing finds the largest that divides. */
static const struct unit durations[] = {
    {"d", 86400e3}, {"h", 3600e3}, {"m", 60e3}, {"s", 1e3}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
    {"KB", 1e3}, {"B", 1}, {"", 1}, {NULL, 0}};
static const struct unit rates[] = {
    {"/s", 1}, {"/m", 1.0 / 60}, {"/h", 1.0 / 3600}, {NULL, 0}};

static const double largest = 9007199254740992.0; /* 2^53: whole numbers are exact up to there */

static size_t digits(hb_str s, size_t from)
{
    size_t n = 0;
    while (from + n < s.n && s.p[from + n] >= '0' && s.p[from + n] <= '9')
        n++;
    return n;
}

/* The length of the decimal number that `s` begins with, or 0: digits[.digits]. */
static size_t decimal(hb_str s)
{
    size_t n = digits(s, 0);
    if (n == 0 || n == s.n || s.p[n] != '.')
        return n;
    size_t fraction = digits(s, n + 1);
    return fraction ? n + 1 + fraction : 0;
}

static bool number(hb_str s, double *out)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out = strtod(text, &end);
    return *end == 0 && isfinite(*out) && fabs(*out) <= largest;
}

static bool with_unit(hb_str s, const struct unit *units, double *out)
{
    size_t n = decimal(s);
    hb_str unit = str_sub(s, n, s.n);
    double value;
    if (n == 0 || !number(str_sub(s, 0, n), &value))
        return false;
    if (value == 0 && unit.n == 0) {
        *out = 0;
        return true;
    }
    for (; units->name; units++) {
        if (!str_eq(unit, str_of(units->name)))
            continue;
        *out = value * units->factor;
        return *out <= largest;
    }
    return false;
}

/* To whole milliseconds or bytes. "1.1GiB" may lose a fraction of a byte, "1.5B" may not. */
static bool whole(double value, int64_t *out)
{
    double rounded = round(value);
    if (fabs(value - rounded) > value * 1e-6)
        return false;
    *out = (int64_t)rounded;
    return true;
}

bool units_int(hb_str s, int64_t *out)
{
    bool sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    double value;
    if (s.n == sign || digits(s, sign) != s.n - sign || !number(s, &value))
        return false;
    *out = (int64_t)value;
    return true;
}

bool units_number(hb_str s, double *out)
{
    size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    hb_str rest = str_sub(s, sign, s.n);
    size_t n = decimal(rest);
    double value;
    if (n == 0)
        return false;
    if (n < rest.n) {
        if (rest.p[n] != 'e' && rest.p[n] != 'E')
            return false;
        n++;
        n += n < rest.n && (rest.p[n] == '-' || rest.p[n] == '+');
        size_t exponent = digits(rest, n);
        if (exponent == 0 || n + exponent != rest.n)
            return false;
    }
    if (!number(s, &value))
        return false;
    *out = value;
    return true;
}

bool units_duration(hb_str s, int64_t *ms)
{
    double value;
    return with_unit(s, durations, &value) && whole(value, ms);
}

bool units_size(hb_str s, int64_t *bytes)
{
    double value;
    return with_unit(s, sizes, &value) && whole(value, bytes);
}

bool units_rate(hb_str s, double *per_second)
{
    return with_unit(s, rates, per_second);
}

static void show(int64_t value, const struct unit *units, char out[static 32])
{
    for (; units->name; units++) {
        int64_t factor = (int64_t)units->factor;
        if (value && value % factor == 0) {
            snprintf(out, 32, "%" PRId64 "%s", value / factor, units->name);
            return;
        }
    }
    snprintf(out, 32, "%" PRId64, value);
}

void units_show_duration(int64_t ms, char out[static 32])
{
    show(ms, durations, out);
}

void units_show_size(int64_t bytes, char out[static 32])
{
    show(bytes, sizes, out);
}
