/* Operations on hb_str, borrowed byte strings. Pure; any thread. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <hubbub/types.h>

hb_str str_of(const char *cstr);                  /* NULL gives {NULL,0} */
bool str_eq(hb_str a, hb_str b);
bool str_eq_nocase(hb_str a, hb_str b);           /* ASCII only */
bool str_starts(hb_str s, hb_str prefix);
bool str_ends(hb_str s, hb_str suffix);
int str_cmp(hb_str a, hb_str b);                  /* bytewise, like strcmp */
hb_str str_sub(hb_str s, size_t from, size_t n);  /* clamps to the end */
size_t str_find(hb_str s, hb_str needle);         /* offset, or SIZE_MAX */
hb_str str_trim(hb_str s);                        /* without leading and trailing space and tab */
/* Cut the next field off *rest at `sep`; false when *rest is absent. "a,b" gives "a" then "b";
 * after the last field *rest becomes absent. */
bool str_split(hb_str *rest, char sep, hb_str *field);
hb_str str_copy(hb_str s);                        /* owned copy with a NUL behind it: free((void *)p) */
/* Copy it to *at, where there is room for it, and move *at behind; the copy. Absent stays absent. */
hb_str str_put(char **at, hb_str s);
hb_str str_put_z(char **at, hb_str s);            /* and a NUL behind it, where there is room for that too */
static inline hb_str str_raw(const void *p, size_t n) /* the bytes of something, borrowed */
{
    return (hb_str){(const char *)p, n};
}
bool str_u64(hb_str s, uint64_t *out);            /* whole string, decimal digits, no overflow */
/* Constant time in the bytes of the shorter; for secrets. */
bool str_eq_secret(hb_str a, hb_str b);
/* Whole-name match, case-sensitive, `*` matching any run of bytes (also none). Linear backtracking,
 * no recursion: at most |pattern| × |name| steps. */
bool str_glob(hb_str pattern, hb_str name);
/* Edit distance (Levenshtein), for "did you mean"; inputs over 64 bytes give SIZE_MAX. */
size_t str_distance(hb_str a, hb_str b);

#endif
