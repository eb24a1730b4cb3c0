/* JSON as it is written for the backend. Owned by one thread; out of memory shows at the end. */
#ifndef WEBHOOK_TEXT_H
#define WEBHOOK_TEXT_H

#include <hubbub/types.h>

struct text {
    char *p; /* owned */
    size_t n, cap;
    bool failed;
};
#define TEXT_INIT ((struct text){NULL, 0, 0, false})

void text_finish(struct text *t);
/* The bytes are the caller's then, for free(); NULL when memory was out. *t is empty. */
char *text_take(struct text *t, size_t *n);

void text_raw(struct text *t, const char *bytes, size_t n);
void text_lit(struct text *t, const char *literal);
/* A quoted string. What is no UTF-8 is taken for Latin-1, byte by byte. */
void text_string(struct text *t, hb_str s);

/* "key":value, with a comma before it unless it opens an object. Absent strings are null. */
void text_key(struct text *t, const char *key);
void text_put(struct text *t, const char *key, hb_str s);
void text_put_raw(struct text *t, const char *key, hb_str json);
void text_put_int(struct text *t, const char *key, int64_t n);
void text_put_bool(struct text *t, const char *key, bool yes);

#endif
