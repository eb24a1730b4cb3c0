#include "admin/page.h"
#include "base/str.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

hb_str page_query(struct admin_call *call, const char *key)
{
    return call->control->hub->io->query(call->req, str_of(key), 0);
}

static bool read_cursor(struct admin_call *call, hb_str cursor, struct page *out)
{
    uint64_t worker, at;
    hb_str part;
    if (!cursor.p || cursor.n == 0)
        return true;
    if (!str_split(&cursor, '.', &part) || !str_u64(part, &worker) || !cursor.p || !str_u64(cursor, &at))
        return false;
    if (worker >= (uint64_t)call->control->hub->n_workers || at > UINT32_MAX)
        return false;
    out->worker = (int)worker;
    out->at = (uint32_t)at;
    return true;
}

bool page_read_limit(struct admin_call *call, struct page *out)
{
    hb_str limit = page_query(call, "limit");
    uint64_t n = LIMIT_DEFAULT;
    *out = (struct page){LIMIT_DEFAULT, 0, 0};
    if (limit.p && (!str_u64(limit, &n) || n < 1 || n > LIMIT_MAX)) {
        admin_error(call, HB_BAD_REQUEST, "limit is a number from 1 to 1000");
        return false;
    }
    out->limit = (size_t)n;
    return true;
}

bool page_read(struct admin_call *call, struct page *out)
{
    if (!page_read_limit(call, out))
        return false;
    if (read_cursor(call, page_query(call, "cursor"), out))
        return true;
    admin_error(call, HB_BAD_REQUEST, "cursor is the `next` of another page");
    return false;
}

void page_end(struct buf *out, bool more, int worker, uint32_t at)
{
    buf_lit(out, "],\"next\":");
    if (more)
        buf_printf(out, "\"%d.%u\"}\n", worker, at);
    else
        buf_lit(out, "null}\n");
}

void page_answer_whole(struct admin_call *call, hb_str items)
{
    struct buf out = BUF_INIT;
    buf_lit(&out, "{\"items\":[");
    buf_str(&out, items);
    page_end(&out, false, 0, 0);
    admin_json(call, 200, buf_view(&out));
    buf_finish(&out);
}
