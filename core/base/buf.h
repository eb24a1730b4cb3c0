/*
 * A growable byte buffer. Owned by whoever embeds it; one thread. Appending never fails by return
 * value: when memory is out or `limit` is passed the buffer turns `failed`, keeps what it had and
 * ignores further appends, so that a run of appends is checked once at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <hubbub/types.h>
#include <stdarg.h>

struct buf {
    char *p;      /* owned; NULL while empty and never grown */
    size_t n;     /* bytes used */
    size_t cap;   /* bytes allocated */
    size_t limit; /* 0: none */
    bool failed;
};

#define BUF_INIT {NULL, 0, 0, 0, false}

void buf_init(struct buf *b);
void buf_finish(struct buf *b);                  /* frees; the buffer is as after init */
void buf_clear(struct buf *b);                   /* n = 0, failed = false, keeps memory */
char *buf_reserve(struct buf *b, size_t extra);  /* room for `extra` more bytes, NULL when failed */
void buf_append(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, hb_str s);
void buf_lit(struct buf *b, const char *cstr);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);         /* decimal */
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD; control characters, quote
 * and backslash are escaped; U+2028/9 too, so that the text is also JavaScript. */
void buf_json_str(struct buf *b, hb_str s);
void buf_base64(struct buf *b, hb_str bytes);    /* RFC 4648 section 4, padded */
void buf_base64url(struct buf *b, hb_str bytes); /* RFC 4648 section 5, no padding */
hb_str buf_view(const struct buf *b);            /* borrowed until the next append */
void buf_consume(struct buf *b, size_t n);       /* drop n bytes from the front */

/* Decode into `out`; false (nothing appended) when a character is outside the alphabet or the
 * length or padding is wrong (bits that the padding leaves over must be 0, so that each byte string
 * has one text), or `out` failed. base64 wants padding, base64url none. */
bool base64_decode(hb_str text, struct buf *out);
bool base64url_decode(hb_str text, struct buf *out);

#endif
