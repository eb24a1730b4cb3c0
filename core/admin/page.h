/*
 * Lists in pages: `?limit=` (1 to 1,000, default 100) and `?cursor=`, which is the `next` of the
 * page before. Whatever is there the whole time is listed once, in the same order.
 */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include "admin/admin.h"

struct page {
    size_t limit;
    int worker;    /* where to begin */
    uint32_t at;   /* and how far it was there */
};

/* A query value, absent when there is none; lives as long as the request. */
hb_str page_query(struct admin_call *call, const char *key);
/* `limit` alone. False: it has been answered with 400. */
bool page_read_limit(struct admin_call *call, struct page *out);
/* Both. False: likewise. */
bool page_read(struct admin_call *call, struct page *out);
/* `,"next":…}`: behind the items. `more` false: null. */
void page_end(struct buf *out, bool more, int worker, uint32_t at);
/* Answer with a list that has no more pages than this one; `items` are JSON, comma-separated. */
void page_answer_whole(struct admin_call *call, hb_str items);

#endif
