#include "pattern.h"

/* After a mismatch only the last `*` need take more. */
bool pattern_matches(const char *pattern, hb_str text)
{
    const char *p = pattern, *star = NULL;
    size_t i = 0, resume = 0;
    while (i < text.n) {
        if (*p == '*') {
            star = p++;
            resume = i;
        } else if (*p && *p == text.p[i]) {
            p++;
            i++;
        } else if (star) {
            p = star + 1;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}
