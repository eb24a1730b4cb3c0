/*
 * The unit tests' framework: a test is a sentence about behaviour.
 *
 *     TEST(resume_after_overflow_reports_gap) { CHECK(gap); }
 *
 * Each file of tests becomes one program (linked with unit.c, which holds main) that prints TAP.
 * A failed CHECK ends its test, names the place, and the program goes on with the next one.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <hubbub/types.h>

struct unit_test {
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};
void unit_register(struct unit_test *t);
_Noreturn void unit_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void unit_check_int(const char *file, int line, const char *what, long long got, long long want);
void unit_check_str(const char *file, int line, const char *what, hb_str got, const char *want);

#define TEST(sentence)                                                          \
    static void sentence(void);                                                 \
    static struct unit_test sentence##_test = {#sentence, sentence, NULL};      \
    __attribute__((constructor)) static void sentence##_register(void)          \
    {                                                                           \
        unit_register(&sentence##_test);                                        \
    }                                                                           \
    static void sentence(void)

#define CHECK(cond) ((cond) ? (void)0 : unit_fail(__FILE__, __LINE__, "expected %s", #cond))
#define CHECK_INT(got, want) unit_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) unit_check_str(__FILE__, __LINE__, #got, (got), (want))

#endif
