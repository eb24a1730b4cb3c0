/*
 * A scanner over JSON text (RFC 8259) that copies nothing: it checks, and it walks objects and
 * arrays by handing out the raw text of each value. Pure; any thread.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include <hubbub/types.h>

enum json_status {
    JSON_OK,
    JSON_SYNTAX,    /* not JSON, or bytes after the value */
    JSON_TOO_DEEP,  /* nested deeper than allowed */
    JSON_UTF8,      /* a string that is not UTF-8 */
    JSON_SURROGATE, /* a \u escape that is half of a pair */
};

enum { JSON_DEPTH_MAX = 1024 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Check that `text` is exactly one JSON value (white space around it is fine), UTF-8 without lone
 * surrogates, at most `max_depth` arrays and objects deep (and never over JSON_DEPTH_MAX). Bounded: one
 * pass, no recursion.
 * On failure *at (may be NULL) is the offset of the fault. */
enum json_status json_check(hb_str text, unsigned max_depth, size_t *at);

/* JSON but for what json_check calls too deep (up to JSON_DEPTH_MAX) and for lone surrogates: it can be
 * walked, and each value in it be checked for itself. A string with a lone surrogate decodes to what is
 * no UTF-8. */
bool json_walkable(hb_str text);

/* The type of a checked value. */
enum json_type json_type(hb_str value);

/* Walk a *checked* object or array. Start with it.rest = the value's text; false at the end.
 * Keys come raw, between their quotes excluded, escapes not decoded (see json_key_eq). */
struct json_iter {
    hb_str rest;
};
struct json_iter json_iter(hb_str checked_value);
bool json_next_field(struct json_iter *it, hb_str *raw_key, hb_str *value);
bool json_next_item(struct json_iter *it, hb_str *value);

/* Compare a raw key (may hold escapes) with plain text. */
bool json_key_eq(hb_str raw_key, hb_str plain);
/* Compare two raw keys, whatever escapes they are written with. */
bool json_keys_eq(hb_str raw_key, hb_str other_raw_key);
/* The value of the first field of that name in a checked object, or absent. */
hb_str json_get(hb_str checked_object, hb_str key);

/* Decode a checked string value (with its quotes), appending UTF-8 to `out`. False when it is no
 * string. \u0000 decodes to a NUL byte. (libjansson exports a json_string too, hence the linker's
 * name for this one; no file can include both headers.) */
bool json_string(hb_str value, struct buf *out) __asm__("base_json_string");
/* A string value without any escape, as a borrowed slice; absent when it has escapes or is none. */
hb_str json_string_plain(hb_str value);
/* An integer within int64 (1.0 and 1e2 are not integers here). */
bool json_int(hb_str value, int64_t *out);
bool json_bool(hb_str value, bool *out);

#endif
