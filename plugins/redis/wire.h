/*
 * What stands in Redis: positions as text, messages as bytes. Pure; everything that comes from there
 * is checked before it is believed.
 *
 * An entry's bytes (stream field "m", and the end of a push): magic "hb2", flags, checksum (4),
 * token (16: the worker that sent it, and its count), length of event (2), of user (2), of data (4),
 * event, user, data. Little-endian. A push: "<id> <id before it> " and one or more of those, each of
 * the others at the next id; rooms without history have "0-0" for both.
 */
#ifndef REDIS_WIRE_H
#define REDIS_WIRE_H

#include <hubbub/backend.h>

enum { POS_TEXT_MAX = 44, ENTRY_HEAD = 32 };

/* Names a publish for all time: which worker of which process, and which one of its. */
struct token {
    uint64_t worker, count;
};

struct entry {
    hb_pos id, prev;
    struct token token;
    hb_str event, user, data; /* user absent: none */
    bool server;
};

/* Text of a position, NUL-terminated; returns its length. */
size_t pos_text(hb_pos pos, char out[static POS_TEXT_MAX]);
/* Numbers as text, without a NUL: up to 20 decimal digits, 16 hexadecimal ones. */
hb_str text_decimal(uint64_t n, char out[static 20]);
hb_str text_positive(int64_t n, char out[static 20]); /* 0 for what is below it */
hb_str text_hex(uint64_t n, char out[static 16]);
/* A command as it goes over the wire: how many bytes its words take, and those bytes. */
size_t command_size(int n, const hb_str *words);
void command_write(int n, const hb_str *words, char *out);
/* One more word, of n bytes, behind a command of 10 to 98; returns where they are to be put. There is
 * room for word_size(n) behind its `size` bytes. */
size_t word_size(size_t n);
char *command_add(char *command, size_t size, size_t n);
bool pos_parse(hb_str text, hb_pos *out);
int pos_compare(hb_pos a, hb_pos b);
static inline bool pos_equal(hb_pos a, hb_pos b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* Cuts a word of up to POS_TEXT_MAX bytes, and the space behind it, off the front of a text. */
bool word_cut(hb_str *text, hb_str *out);

/* How many bytes a message takes, and those bytes. */
size_t entry_size(const hb_message *m);
void entry_write(const hb_message *m, struct token token, char *out);
/* Exactly one. False: not ours, or damaged. Borrows from `bytes`; leaves id and prev alone. */
bool entry_parse(hb_str bytes, struct entry *out);
/* Cuts off the first one. */
bool entry_cut(hb_str *bytes, struct entry *out);
/* Cuts off what a push begins with, the positions of its first entry; its entries stay. */
bool push_cut(hb_str *payload, struct entry *first);

#endif
