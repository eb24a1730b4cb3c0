/*
 * Reading the backend's answers: the whole is checked once, then members are cut out as they stand,
 * so that data reach clients byte for byte as the backend wrote them. Pure; no memory of its own.
 */
#ifndef WEBHOOK_PEEK_H
#define WEBHOOK_PEEK_H

#include <hubbub/types.h>

enum { PEEK_DEPTH_MAX = 64 };

/* Is it one JSON value (RFC 8259) in UTF-8, without lone surrogates, at most PEEK_DEPTH_MAX deep?
 */
bool peek_check(hb_str text);

/* Of text that passed peek_check, or a value cut out of it: */
bool peek_is_object(hb_str value);
bool peek_is_null(hb_str value);
/* The value of a member, without blanks around it; the last one of that name. Absent when it is no
 * object or has none. `key` is plain: no member written with escapes is found. */
hb_str peek_member(hb_str object, const char *key);
/* 1 true, 0 false, -1 neither. */
int peek_bool(hb_str value);
/* The text of a string, in buf; absent when it is none, or longer than size. */
hb_str peek_string(hb_str value, char *buf, size_t size);
bool peek_integer(hb_str value, int64_t *out);

#endif
