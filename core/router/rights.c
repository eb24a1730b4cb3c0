#include "router/rights.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/map.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum { PATTERNS_MAX = 1024, DEPTH = 8 };

/* Patterns as lines: a kind letter, the pattern, NUL. The text is the key of the table of this
 * thread, so equal claims share one. */
struct rights {
    uint32_t refs, n;
    char lines[];
};

static hb_str lines_of(const void *rights)
{
    const struct rights *r = rights;
    return (hb_str){r->lines, r->n};
}

static _Thread_local struct map shared = MAP_INIT(lines_of);

static void add_patterns(hb_str list, enum rights_kind kind, struct buf *lines)
{
    hb_str item;
    unsigned n = 0;
    if (!list.p || json_type(list) != JSON_ARRAY)
        return;
    for (struct json_iter it = json_iter(list); n < PATTERNS_MAX && json_next_item(&it, &item); n++) {
        size_t start = lines->n;
        buf_char(lines, (char)kind);
        if (!json_string(item, lines) || memchr(lines->p + start, '\0', lines->n - start))
            lines->n = start;
        else
            buf_char(lines, '\0');
    }
}

struct rights *rights_create(hb_str claim)
{
    struct buf lines = BUF_INIT;
    if (!claim.p || json_check(claim, DEPTH, NULL) != JSON_OK || json_type(claim) != JSON_OBJECT)
        return NULL;
    add_patterns(json_get(claim, HB_STR("join")), RIGHTS_JOIN, &lines);
    add_patterns(json_get(claim, HB_STR("publish")), RIGHTS_PUBLISH, &lines);
    if (lines.n == 0) {
        buf_finish(&lines);
        return NULL;
    }
    struct rights *r = map_get(&shared, buf_view(&lines));
    if (!r) {
        r = mem_alloc(sizeof(*r) + lines.n);
        r->refs = 0;
        r->n = (uint32_t)lines.n;
        memcpy(r->lines, lines.p, lines.n);
        map_put(&shared, r);
    }
    r->refs++;
    buf_finish(&lines);
    return r;
}

void rights_unref(struct rights *r)
{
    if (!r || --r->refs > 0)
        return;
    map_remove(&shared, lines_of(r));
    if (shared.count == 0)
        map_finish(&shared);
    free(r);
}

bool rights_allow(const struct rights *r, enum rights_kind kind, hb_str room)
{
    if (!r)
        return false;
    for (const char *p = r->lines; p < r->lines + r->n;) {
        size_t n = strlen(p + 1);
        if (*p == (char)kind && str_glob((hb_str){p + 1, n}, room))
            return true;
        p += n + 2;
    }
    return false;
}

bool rule_allows_join(const struct config_room *rule, bool has_user, const struct rights *r, hb_str room)
{
    switch (rule ? rule->join : WHO_NOBODY) {
    case WHO_ANYONE:
        return true;
    case WHO_AUTHENTICATED:
        return has_user;
    case WHO_CLAIM:
        return rights_allow(r, RIGHTS_JOIN, room);
    default:
        return false;
    }
}

bool rule_allows_publish(const struct config_room *rule, bool has_user, bool member,
    const struct rights *r, hb_str room)
{
    switch (rule ? rule->publish : WHO_NOBODY) {
    case WHO_ANYONE:
        return true;
    case WHO_AUTHENTICATED:
        return has_user;
    case WHO_MEMBERS:
        return member;
    case WHO_CLAIM:
        return rights_allow(r, RIGHTS_PUBLISH, room);
    default:
        return false;
    }
}
