#include "out/cursor.h"
#include "base/check.h"
#include "base/rand.h"
#include "out/msg.h"
#include <string.h>

enum { CURSOR_VERSION = 1, ENTRY_MAX = 8 + 10 + 10 };

static hb_str skip(hb_str s, size_t n)
{
    return (hb_str){s.p + n, s.n - n};
}

static size_t put_varint(unsigned char *p, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (unsigned char)(v | 0x80);
    p[n++] = (unsigned char)v;
    return n;
}

static bool get_varint(hb_str *rest, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; rest->n > 0 && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)*rest->p;
        rest->p++;
        rest->n--;
        *v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static size_t put_entry(unsigned char *p, uint64_t hash, hb_pos pos)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(hash >> (8 * i));
    size_t n = 8;
    n += put_varint(p + n, pos.hi);
    n += put_varint(p + n, pos.lo);
    return n;
}

void cursor_begin(struct cursor_writer *w, uint64_t answer)
{
    w->raw[0] = CURSOR_VERSION;
    w->n = 1 + put_varint(w->raw + 1, answer);
    w->entries = 0;
}

void cursor_add(struct cursor_writer *w, uint64_t room, hb_pos pos)
{
    if (w->entries >= CURSOR_ENTRIES_MAX || w->n + ENTRY_MAX > sizeof(w->raw))
        return;
    w->n += put_entry(w->raw + w->n, room, pos);
    w->entries++;
}

void cursor_end(const struct cursor_writer *w, struct buf *out)
{
    buf_base64url(out, (hb_str){(const char *)w->raw, w->n});
}

size_t cursor_write_one(hb_str room, hb_pos pos, char *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char raw[2 + ENTRY_MAX] = {CURSOR_VERSION, 0};
    size_t n = 2 + put_entry(raw + 2, hash_stable(room), pos), used = 0;
    CHECK_INVARIANT(size >= (n * 4 + 2) / 3 + 1);
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | raw[i];
        for (have += 8; have >= 6; have -= 6)
            out[used++] = digits[bits >> (have - 6) & 63];
    }
    if (have > 0)
        out[used++] = digits[bits << (6 - have) & 63];
    out[used] = '\0';
    return used;
}

/* Decode and check the head; on success `raw` holds the bytes and *rest the entries. */
static bool open_cursor(hb_str cursor, struct buf *raw, hb_str *rest, uint64_t *answer)
{
    if (cursor.n == 0 || cursor.n > CURSOR_LENGTH_MAX || !base64url_decode(cursor, raw))
        return false;
    *rest = buf_view(raw);
    if (rest->n < 2 || rest->p[0] != CURSOR_VERSION)
        return false;
    *rest = skip(*rest, 1);
    return get_varint(rest, answer);
}

static bool next_entry(hb_str *rest, uint64_t *hash, hb_pos *pos)
{
    if (rest->n < 10)
        return false;
    *hash = 0;
    for (int i = 0; i < 8; i++)
        *hash |= (uint64_t)(unsigned char)rest->p[i] << (8 * i);
    *rest = skip(*rest, 8);
    return get_varint(rest, &pos->hi) && get_varint(rest, &pos->lo);
}

struct merging {
    bool latest;         /* of a room in several: the latest, not the first */
    size_t n;
    struct {
        uint64_t room;
        hb_pos pos;
    } entries[CURSOR_ENTRIES_MAX];
};

static bool is_later(hb_pos a, hb_pos b)
{
    return a.hi != b.hi ? a.hi > b.hi : a.lo > b.lo;
}

static void merge_entry(struct merging *m, uint64_t hash, hb_pos pos)
{
    size_t i = 0;
    while (i < m->n && m->entries[i].room != hash)
        i++;
    if (i == CURSOR_ENTRIES_MAX || (i < m->n && !(m->latest && is_later(pos, m->entries[i].pos))))
        return;
    m->entries[i].room = hash;
    m->entries[i].pos = pos;
    m->n += i == m->n;
}

static bool entries_valid(hb_str rest)
{
    uint64_t hash;
    hb_pos pos;
    int n = 0;
    while (rest.n > 0)
        if (++n > CURSOR_ENTRIES_MAX || !next_entry(&rest, &hash, &pos))
            return false;
    return true;
}

static void merge_entries(struct merging *m, hb_str rest)
{
    uint64_t hash;
    hb_pos pos;
    while (rest.n > 0 && next_entry(&rest, &hash, &pos))
        merge_entry(m, hash, pos);
}

static void write_merged(const struct merging *m, struct buf *out)
{
    struct cursor_writer w;
    cursor_begin(&w, 0);
    for (size_t i = 0; i < m->n; i++)
        cursor_add(&w, m->entries[i].room, m->entries[i].pos);
    cursor_end(&w, out);
}

static size_t merge(const hb_str *cursors, size_t n, bool latest, struct buf *out)
{
    struct merging m = {.latest = latest};
    size_t merged = 0;
    for (size_t i = 0; i < n; i++) {
        struct buf raw = BUF_INIT;
        hb_str rest;
        uint64_t answer;
        if (open_cursor(cursors[i], &raw, &rest, &answer) && entries_valid(rest)) {
            merge_entries(&m, rest);
            merged++;
        }
        buf_finish(&raw);
    }
    if (merged > 0)
        write_merged(&m, out);
    return merged;
}

size_t cursor_merge(const hb_str *cursors, size_t n, struct buf *out)
{
    return merge(cursors, n, false, out);
}

size_t cursor_latest(const hb_str *cursors, size_t n, struct buf *out)
{
    return merge(cursors, n, true, out);
}

int cursor_find(hb_str cursor, hb_str room, hb_pos *pos)
{
    struct buf raw = BUF_INIT;
    hb_str rest;
    uint64_t answer, hash, wanted = hash_stable(room);
    int found = open_cursor(cursor, &raw, &rest, &answer) ? 0 : -1;
    for (int i = 0; found == 0 && rest.n > 0; i++) {
        hb_pos at;
        if (i >= CURSOR_ENTRIES_MAX || !next_entry(&rest, &hash, &at)) {
            found = -1;
        } else if (hash == wanted) {
            *pos = at;
            found = 1;
        }
    }
    buf_finish(&raw);
    return found;
}

bool cursor_answer(hb_str cursor, uint64_t *answer)
{
    struct buf raw = BUF_INIT;
    hb_str rest;
    bool ok = open_cursor(cursor, &raw, &rest, answer);
    buf_finish(&raw);
    return ok;
}
