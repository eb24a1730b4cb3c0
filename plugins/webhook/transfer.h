/* One POST as libcurl sees it: for pool.c. */
#ifndef WEBHOOK_TRANSFER_H
#define WEBHOOK_TRANSFER_H

#include "pool.h"
#include <curl/curl.h>

struct transfer {
    struct pool_post post; /* url, id and signature are NULL: they are in `url` and `headers` */
    CURL *easy;                 /* NULL until prepared */
    struct curl_slist *headers;
    char *url;
    char *answer;
    size_t answer_n, answer_max;
    bool too_large;
    uint64_t due_ms;
    struct transfer *next, *prev;
};

/* Adopts the post's body, whatever comes of it but NULL (no memory). */
struct transfer *transfer_create(const struct pool_post *post);
void transfer_destroy(struct transfer *t);
/* Ready to be performed, within timeout_ms. False without memory. */
bool transfer_prepare(struct transfer *t, const struct pool_settings *settings, int64_t timeout_ms);
/* What came of it; *status is the answer's, or 0. */
enum fault transfer_fault(const struct transfer *t, CURLcode result, int *status);

char *transfer_copy(const char *s); /* NULL without memory */

#endif
