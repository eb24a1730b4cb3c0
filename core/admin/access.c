/*
 * Who may use the admin endpoint. With a token: whoever sends it. Without one (loopback only): no
 * web page may reach it, so the Host must be a loopback name (DNS rebinding), an Origin must be this
 * listener's own, and what changes things must be JSON, which a form can't send.
 */
#include "admin/admin.h"
#include "base/str.h"

static hb_str header(struct admin_call *call, const char *name)
{
    return call->control->hub->io->header(call->req, str_of(name));
}

static bool has_token(struct admin_call *call, hb_str token)
{
    hb_str value = header(call, "authorization");
    if (!value.p || value.n < 7 || !str_eq_nocase(str_sub(value, 0, 7), HB_STR("bearer ")))
        return false;
    return str_eq_secret(str_trim(str_sub(value, 7, SIZE_MAX)), token);
}

static bool is_loopback_host(hb_str host)
{
    hb_str name = host;
    if (host.n > 0 && host.p[0] == '[')
        return str_starts(host, HB_STR("[::1]")) && (host.n == 5 || host.p[5] == ':');
    str_split(&host, ':', &name);
    return str_eq_nocase(name, HB_STR("localhost")) || str_eq(name, HB_STR("127.0.0.1")) ||
        (str_starts(name, HB_STR("127.")) && str_glob(HB_STR("127.*.*.*"), name));
}

static bool is_own_origin(hb_str origin, hb_str host)
{
    hb_str rest = str_sub(origin, 7, SIZE_MAX);
    return str_starts(origin, HB_STR("http://")) && str_eq_nocase(rest, host);
}

static bool changes(hb_str method)
{
    return !str_eq(method, HB_STR("GET")) && !str_eq(method, HB_STR("HEAD"));
}

static bool is_json(hb_str type)
{
    hb_str media = {NULL, 0};
    str_split(&type, ';', &media);
    return str_eq_nocase(str_trim(media), HB_STR("application/json"));
}

bool admin_access(struct admin_call *call, bool open)
{
    hb_str token = str_of(call->control->config->admin.token);
    hb_str host = header(call, "host"), origin = header(call, "origin");
    if (token.n > 0) {
        if (open || has_token(call, token))
            return true;
        admin_error(call, HB_UNAUTHORIZED, "this needs the admin token: Authorization: Bearer …");
        return false;
    }
    if (!host.p || !is_loopback_host(host))
        admin_error(call, HB_FORBIDDEN, "without an admin token, only a loopback Host is answered");
    else if (origin.p && !is_own_origin(origin, host))
        admin_error(call, HB_FORBIDDEN, "this Origin may not use the admin endpoint");
    else if (changes(call->req->method) && !is_json(header(call, "content-type")))
        admin_error(call, HB_UNSUPPORTED_MEDIA_TYPE, "changes are sent as application/json");
    else
        return true;
    return false;
}
