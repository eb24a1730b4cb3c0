#include "reply.h"
#include <string.h>

static redisReplyObjectFunctions functions; /* the default ones but for ours */
static void *(*default_array)(const redisReadTask *task, int n);

static void *create_array(const redisReadTask *task, int n)
{
    size_t *budget = task->privdata;
    if (n < 0 || (size_t)n > *budget)
        return NULL;
    *budget -= (size_t)n;
    return default_array(task, n);
}

bool reply_init(void)
{
    redisReader *r = redisReaderCreate();
    if (!r)
        return false;
    functions = *r->fn;
    default_array = functions.createArray;
    functions.createArray = create_array;
    redisReaderFree(r);
    return true;
}

redisReader *reply_reader(size_t *budget)
{
    redisReader *r = redisReaderCreateWithFunctions(&functions);
    if (r)
        r->privdata = budget;
    return r;
}

bool reply_feed(redisReader *r, const char *bytes, size_t n, size_t max_bytes)
{
    return r->len - r->pos + n <= max_bytes && redisReaderFeed(r, bytes, n) == REDIS_OK;
}

hb_str reply_str(const redisReply *r)
{
    if (r && (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS))
        return (hb_str){r->str, (size_t)r->len};
    return (hb_str){NULL, 0};
}

const redisReply *reply_at(const redisReply *r, size_t i)
{
    return r && r->type == REDIS_REPLY_ARRAY && i < r->elements ? r->element[i] : NULL;
}

bool reply_is_away(const redisReply *r)
{
    static const char *const words[] = {"LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "NOPERM", "NOSCRIPT", "BUSY ",
        "MOVED", "ASK ", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM", "NOREPLICAS", "WRONGPASS", "UNKILLABLE",
        "ERR max number of clients"};
    if (r->type != REDIS_REPLY_ERROR)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(r->str, words[i], strlen(words[i])) == 0)
            return true;
    return strstr(r->str, "-READONLY") || strstr(r->str, "-OOM") || strstr(r->str, "-MISCONF"); /* within a script */
}
