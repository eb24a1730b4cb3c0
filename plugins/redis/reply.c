#include "reply.h"
#include "mem.h"
#include <stdalign.h>
#include <string.h>

/* Memory of one answer, given back as a whole. */
struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct replies {
    redisReader *reader;
    size_t budget;         /* elements that the answer may still have */
    struct block *blocks;  /* the newest first; the last one stays */
};

/* Under the address sanitizer nothing is used again, so that it sees who keeps an answer. */
#ifdef __SANITIZE_ADDRESS__
enum { BLOCK_BYTES = 64, BLOCK_STAYS = 0 };
#else
enum { BLOCK_BYTES = 16 * 1024, BLOCK_STAYS = 1 };
#endif

static void *take(struct replies *r, size_t n)
{
    const size_t align = alignof(max_align_t);
    n = (n + align - 1) & ~(align - 1);
    if (!r->blocks || r->blocks->size - r->blocks->used < n) {
        size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        struct block *b = malloc(sizeof(*b) + size);
        if (!b)
            return NULL;
        *b = (struct block){.next = r->blocks, .size = size};
        r->blocks = b;
    }
    void *p = r->blocks->bytes + r->blocks->used;
    r->blocks->used += n;
    return p;
}

static void release(struct replies *r)
{
    while (r->blocks && !(BLOCK_STAYS && !r->blocks->next && r->blocks->size == BLOCK_BYTES)) {
        struct block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
    if (r->blocks)
        r->blocks->used = 0;
}

/* --- what the reader calls -------------------------------------------------------------------------- */

/* Put where it belongs: into the array that it is an item of. */
static redisReply *make(const redisReadTask *task, size_t more)
{
    redisReply *reply = take(task->privdata, sizeof(*reply) + more);
    if (!reply)
        return NULL;
    *reply = (redisReply){.type = task->type};
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = reply;
    return reply;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t n)
{
    redisReply *reply = make(task, n + 1);
    if (!reply)
        return NULL;
    reply->str = (char *)(reply + 1);
    reply->len = n;
    memcpy(reply->str, bytes, n);
    reply->str[n] = '\0';
    return reply;
}

static void *create_array(const redisReadTask *task, int n)
{
    struct replies *r = task->privdata;
    if (n < 0 || (size_t)n > r->budget)
        return NULL;
    r->budget -= (size_t)n;
    redisReply *reply = make(task, (size_t)n * sizeof(reply));
    if (!reply)
        return NULL;
    reply->elements = (size_t)n;
    reply->element = (redisReply **)(void *)(reply + 1);
    memset(reply->element, 0, (size_t)n * sizeof(reply));
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = make(task, 0);
    if (reply)
        reply->integer = value;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    redisReply *reply = make(task, 0);
    if (reply)
        reply->type = REDIS_REPLY_NIL;
    return reply;
}

static void free_nothing(void *reply)
{
}

static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil, free_nothing};

/* ---------------------------------------------------------------------------------------------------- */

struct replies *replies_create(void)
{
    struct replies *r = mem_zalloc(sizeof(*r));
    r->budget = REPLY_ELEMENTS_MAX;
    r->reader = redisReaderCreateWithFunctions(&functions);
    if (!r->reader) {
        free(r);
        return NULL;
    }
    r->reader->privdata = r;
    return r;
}

void replies_destroy(struct replies *r)
{
    if (!r)
        return;
    redisReaderFree(r->reader);
    while (r->blocks) {
        struct block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
    free(r);
}

bool replies_feed(struct replies *r, const char *bytes, size_t n, size_t max_bytes)
{
    return r->reader->len - r->reader->pos + n <= max_bytes && redisReaderFeed(r->reader, bytes, n) == REDIS_OK;
}

/* An answer that has come in part keeps its memory: only a whole one is let go. */
bool replies_next(struct replies *r, const redisReply **out)
{
    void *reply = NULL;
    if (r->reader->ridx < 0) {
        release(r);
        r->budget = REPLY_ELEMENTS_MAX;
    }
    if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
        return false;
    *out = reply;
    return true;
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
