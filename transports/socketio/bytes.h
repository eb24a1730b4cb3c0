/*
 * A growable run of bytes. Appending never fails by return value: when memory is out it turns
 * `failed`, keeps what it had and ignores the rest, so that many appends are checked once.
 */
#ifndef SOCKETIO_BYTES_H
#define SOCKETIO_BYTES_H

#include <hubbub/types.h>

struct bytes {
    char *p; /* owned; NULL while nothing was appended */
    size_t n, cap;
    bool failed;
};

#define BYTES_INIT {NULL, 0, 0, false}
#define BYTES_LIT(b, literal) bytes_append((b), (literal), sizeof(literal) - 1)

void bytes_finish(struct bytes *b); /* frees; as after init */
void bytes_clear(struct bytes *b);  /* keeps the memory */
char *bytes_reserve(struct bytes *b, size_t extra); /* NULL: failed */
void bytes_append(struct bytes *b, const void *p, size_t n);
void bytes_str(struct bytes *b, hb_str s);
void bytes_char(struct bytes *b, char c);
void bytes_u64(struct bytes *b, uint64_t v);
/* A JSON string with its quotes; `s` is UTF-8. */
void bytes_json_str(struct bytes *b, hb_str s);
hb_str bytes_view(const struct bytes *b);

/* Base64 of RFC 4648 section 4, padded. Decoding: false, and nothing appended, for what is none (the
 * padding may be missing). */
void bytes_base64(struct bytes *b, hb_str raw);
bool bytes_unbase64(struct bytes *b, hb_str text);

static inline bool str_same(hb_str a, hb_str b)
{
    return a.n == b.n && (a.n == 0 || __builtin_memcmp(a.p, b.p, a.n) == 0);
}

#endif
