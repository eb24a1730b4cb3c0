/*
 * Cursors: positions in one or several rooms as one opaque string. Bytes: version 1, a varint that
 * tells poll answers apart, then for each room its stable hash (8 bytes, little-endian) and the two
 * varints of its position; all in base64url. 128 rooms fit in 4 KB. Cursors are no secrets and no
 * proofs: whoever forges one reads nothing that joining would not show.
 */
#ifndef OUT_CURSOR_H
#define OUT_CURSOR_H

#include "base/buf.h"
#include <hubbub/backend.h>

enum { CURSOR_ENTRIES_MAX = 512, CURSOR_LENGTH_MAX = 16384, CURSOR_RAW_MAX = CURSOR_LENGTH_MAX / 4 * 3 };

/* A NUL-terminated cursor of one room; returns its length. `size` at least CURSOR_TEXT_MAX. */
size_t cursor_write_one(hb_str room, hb_pos pos, char *out, size_t size);

/* Holds nothing: on the stack. */
struct cursor_writer {
    size_t n, entries;
    unsigned char raw[CURSOR_RAW_MAX];
};
void cursor_begin(struct cursor_writer *w, uint64_t answer);
/* `room`: hash_stable of its name. What is too much for a cursor is left out. */
void cursor_add(struct cursor_writer *w, uint64_t room, hb_pos pos);
void cursor_end(const struct cursor_writer *w, struct buf *out); /* appends the text */

/* Append one cursor for all of these: of a room that several name, the first one's position. What is
 * no cursor, or too much for one, is left out; returns how many were cursors, and appends nothing
 * when none was. */
size_t cursor_merge(const hb_str *cursors, size_t n, struct buf *out);
/* The same, but of a room that several name the latest position. */
size_t cursor_latest(const hb_str *cursors, size_t n, struct buf *out);

/* Find the room's position in a cursor: 1 found, 0 a cursor that does not cover the room, -1 no
 * cursor at all. */
int cursor_find(hb_str cursor, hb_str room, hb_pos *pos);
/* The answer number of a composite cursor; false when it is no cursor. */
bool cursor_answer(hb_str cursor, uint64_t *answer);

#endif
