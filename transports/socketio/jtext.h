/*
 * JSON as text (RFC 8259): checked in one pass without recursion, then walked by handing out each
 * value's raw text, so that numbers, key order and escapes go on as they came. The text is UTF-8
 * already. Pure.
 */
#ifndef SOCKETIO_JTEXT_H
#define SOCKETIO_JTEXT_H

#include "bytes.h"

enum { JTEXT_DEPTH_MAX = 128 };

enum jtext_status {
    JTEXT_OK,
    JTEXT_SYNTAX,   /* not JSON, or bytes behind the value */
    JTEXT_TOO_DEEP,
    JTEXT_SURROGATE /* JSON, with a \u escape that is half of a pair */
};

/* Exactly one value, at most `depth` (and JTEXT_DEPTH_MAX) arrays and objects deep. */
enum jtext_status jtext_check(hb_str text, unsigned depth);

/* Of checked values: '{' '[' '"' 't' 'f' 'n', and '0' for numbers. */
char jtext_kind(hb_str value);

/* Walks a checked array or object; start with jtext_iter(value). */
struct jtext_iter {
    const char *p, *end;
};
struct jtext_iter jtext_iter(hb_str value);
bool jtext_item(struct jtext_iter *it, hb_str *value);
/* Keys come raw, without their quotes. */
bool jtext_field(struct jtext_iter *it, hb_str *key, hb_str *value);

bool jtext_key_is(hb_str raw_key, hb_str plain); /* escapes are understood */
/* The last field of that name, as JavaScript has it; absent when there is none. */
hb_str jtext_get(hb_str object, hb_str key);
/* Appends checked text, with U+FFFD for each half of a pair. */
void jtext_mend(hb_str text, struct bytes *out);
/* Appends a checked string's decoded text; false: it is no string. Half a pair becomes U+FFFD. */
bool jtext_string(hb_str value, struct bytes *out);

#endif
