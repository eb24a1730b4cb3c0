/*
 * Answers: hiredis' reader with bounds of our own, because a peer says how long its arrays and
 * strings will be before it sends them.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <hubbub/types.h>

enum { REPLY_ELEMENTS_MAX = 1 << 20 };

/* Once, before any thread reads. False: no memory. */
bool reply_init(void);
/* *budget: how many elements the answer may still have; the caller sets it to REPLY_ELEMENTS_MAX
 * before each. NULL when memory is out. */
redisReader *reply_reader(size_t *budget);
/* max_bytes: of one answer that is not complete yet. False: what has come is too much for one answer; the connection is to be dropped. */
bool reply_feed(redisReader *r, const char *bytes, size_t n, size_t max_bytes);

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
