/*
 * Answers: hiredis' reader with bounds of our own, because a peer says how long its arrays and
 * strings will be before it sends them; and with memory of its own, so that an answer costs no
 * allocation. What it gives is for looking at: never freed or changed.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <hubbub/types.h>

enum { REPLY_ELEMENTS_MAX = 1 << 20 };

struct replies;

struct replies *replies_create(void);       /* NULL when memory is out */
void replies_destroy(struct replies *r);    /* NULL is fine */
/* max_bytes: of one answer that is not complete yet. False: what has come is too much for one answer;
 * the connection is to be dropped. */
bool replies_feed(struct replies *r, const char *bytes, size_t n, size_t max_bytes);
/* The next whole answer, valid until the next call; NULL: none yet. False: what has come is none, or
 * has more elements than REPLY_ELEMENTS_MAX. */
bool replies_next(struct replies *r, const redisReply **out);

/* The text of a string or status, absent for anything else. */
hb_str reply_str(const redisReply *r);
/* Item i of an array, NULL when there is none. */
const redisReply *reply_at(const redisReply *r, size_t i);
static inline bool reply_is_error(const redisReply *r)
{
    return r->type == REDIS_REPLY_ERROR;
}
/* An error that is about the server, not about this command: with another, or later, it may work. */
bool reply_is_away(const redisReply *r);

#endif
