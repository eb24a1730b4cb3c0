#include "unit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct unit_test *first, **last = &first;
static jmp_buf failed;

void unit_register(struct unit_test *t)
{
    *last = t;
    last = &t->next;
}

void unit_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    printf("# %s:%d: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    longjmp(failed, 1);
}

void unit_check_int(const char *file, int line, const char *what, long long got, long long want)
{
    if (got != want)
        unit_fail(file, line, "%s is %lld, expected %lld", what, got, want);
}

void unit_check_str(const char *file, int line, const char *what, hb_str got, const char *want)
{
    if (got.n != strlen(want) || memcmp(got.p ? got.p : "", want, got.n) != 0)
        unit_fail(file, line, "%s is \"%.*s\", expected \"%s\"", what, (int)got.n,
            got.p ? got.p : "", want);
}

/* Apart from main, whose variables a longjmp might clobber. */
static bool run(const struct unit_test *t)
{
    if (setjmp(failed) != 0)
        return false;
    t->run();
    return true;
}

int main(int argc, char **argv)
{
    int number = 0, failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct unit_test *t = first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        bool ok = run(t);
        failures += !ok;
        printf("%sok %d - %s\n", ok ? "" : "not ", ++number, t->name);
    }
    printf("1..%d\n", number);
    return failures > 0;
}
