#include "claims.h"
#include <hubbub/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

hb_str claims_text(const json_t *value)
{
    if (!json_is_string(value))
        return (hb_str){NULL, 0};
    return (hb_str){json_string_value(value), json_string_length(value)};
}

void claims_free(struct claims *c)
{
    free(c);
}

/* A NumericDate (RFC 7519, section 2), fractions included. True with *out untouched when absent. */
static bool read_time(const json_t *payload, const char *name, int64_t *out_ms)
{
    const json_t *value = json_object_get(payload, name);
    if (!value)
        return true;
    double seconds = json_is_number(value) ? json_number_value(value) : -1;
    if (!(seconds >= 0 && seconds <= (double)HB_SECONDS_MAX))
        return false;
    *out_ms = (int64_t)floor(seconds * 1000);
    return true;
}

static bool is_among(const json_t *value, hb_strings wanted)
{
    hb_str text = claims_text(value);
    for (size_t i = 0; text.p && i < wanted.n; i++)
        if (text.n == wanted.items[i].n && memcmp(text.p, wanted.items[i].p, text.n) == 0)
            return true;
    return false;
}

/* RFC 7519, section 4.1.3: one string, or a list of which one will do. */
static bool audience_fits(const json_t *aud, hb_strings wanted)
{
    const json_t *item;
    size_t i;
    json_array_foreach(aud, i, item)
        if (is_among(item, wanted))
            return true;
    return is_among(aud, wanted);
}

/* UTF-8 is what jansson gave us; what is left is length, control characters (C0, DEL, C1) and '@',
 * which begins the names of users' rooms. */
static bool is_user(hb_str s)
{
    if (s.n < 1 || s.n > VERIFY_USER_MAX || s.p[0] == '@')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i],
                      next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0xff;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0))
            return false;
    }
    return true;
}

static bool are_rights(const json_t *rights)
{
    const char *name;
    json_t *list;
    if (!json_is_object(rights))
        return false;
    json_object_foreach((json_t *)(uintptr_t)rights, name, list) {
        const json_t *pattern;
        size_t i;
        if (!json_is_array(list))
            return false;
        json_array_foreach(list, i, pattern)
            if (!json_is_string(pattern))
                return false;
    }
    return true;
}

static bool read_id(const json_t *payload, hb_str *out)
{
    const json_t *jti = json_object_get(payload, "jti");
    *out = claims_text(jti);
    return !jti || (out->p && out->n <= VERIFY_JTI_MAX);
}

static hb_str put(char **at, hb_str s)
{
    hb_str stored = {s.p ? *at : NULL, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return stored;
}

/* `times` with the strings behind it; NULL without memory. */
static struct claims *pack(const struct claims *times, hb_str user, hb_str rights, hb_str token_id)
{
    size_t size = sizeof(*times) + user.n + rights.n + token_id.n;
    struct claims *c = malloc(size);
    if (!c)
        return NULL;
    char *at = c->text;
    *c = *times;
    c->size = size;
    c->user = put(&at, user);
    c->rights = put(&at, rights);
    c->token_id = put(&at, token_id);
    return c;
}

static enum verify_result read_strings(const json_t *payload, const struct verify_policy *policy,
    const struct claims *times, struct claims **out)
{
    const json_t *rights = json_object_get(payload, "hubbub");
    hb_str user = claims_text(json_object_get(payload, policy->user_claim)), token_id;
    if (!is_user(user) || !read_id(payload, &token_id) || (rights && !are_rights(rights)))
        return VERIFY_CLAIM;
    char *text = rights ? json_dumps(rights, JSON_COMPACT) : NULL;
    if (rights && !text)
        return VERIFY_CLAIM;
    struct claims *c = pack(times, user, (hb_str){text, text ? strlen(text) : 0}, token_id);
    free(text);
    if (!c)
        return VERIFY_CLAIM;
    *out = c;
    return VERIFY_OK;
}

static enum verify_result read_times(
    const json_t *payload, const struct verify_policy *policy, struct claims *out)
{
    int64_t exp_ms = -1, nbf_ms = -1, iat_ms = 0;
    if (!read_time(payload, "exp", &exp_ms) || !read_time(payload, "nbf", &nbf_ms) ||
        !read_time(payload, "iat", &iat_ms) || (exp_ms < 0 && policy->require_exp))
        return VERIFY_CLAIM;
    out->expires_ms = exp_ms < 0 ? INT64_MAX : exp_ms + policy->leeway_ms;
    out->not_before_ms = nbf_ms < 0 ? INT64_MIN : nbf_ms - policy->leeway_ms;
    out->issued_at = iat_ms / 1000;
    return VERIFY_OK;
}

enum verify_result verify_times(const struct claims *c, int64_t now_ms)
{
    if (now_ms >= c->expires_ms)
        return VERIFY_EXPIRED;
    return now_ms < c->not_before_ms ? VERIFY_NOT_YET_VALID : VERIFY_OK;
}

enum verify_result claims_read(
    const json_t *payload, const struct verify_policy *policy, int64_t now_ms, struct claims **out)
{
    struct claims times = {0};
    enum verify_result r = read_times(payload, policy, &times);
    if (r == VERIFY_OK)
        r = verify_times(&times, now_ms);
    if (r != VERIFY_OK)
        return r;
    if (policy->issuers.n && !is_among(json_object_get(payload, "iss"), policy->issuers))
        return VERIFY_ISSUER;
    if (policy->audiences.n && !audience_fits(json_object_get(payload, "aud"), policy->audiences))
        return VERIFY_AUDIENCE;
    return read_strings(payload, policy, &times, out);
}
