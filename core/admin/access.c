/*
 * Who may use the admin endpoint. With a token: whoever sends it. Without one (loopback only): no
 * web page may reach it, so the Host must be a loopback name (DNS rebinding), an Origin must be this
 * listener's own, and what changes things must be JSON, which a form can't send.
 */
#include "admin/admin.h"
#include "base/str.h"
#include "conf/config.h"

static bool has_token(hb_str value, hb_str token)
{
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

hb_code admin_judge(const struct config *config, const struct server_asker *who, const char **why)
{
    hb_str token = str_of(config->admin.token);
    *why = "";
    if (token.n > 0) {
        *why = "this needs the admin token: Authorization: Bearer …";
        return has_token(who->authorization, token) ? HB_OK : HB_UNAUTHORIZED;
    }
    if (!who->host.p || !is_loopback_host(who->host)) {
        *why = "without an admin token, only a loopback Host is answered";
        return HB_FORBIDDEN;
    }
    if (who->origin.p && !is_own_origin(who->origin, who->host)) {
        *why = "this Origin may not use the admin endpoint";
        return HB_FORBIDDEN;
    }
    *why = "changes are sent as application/json";
    return changes(who->method) && !is_json(who->content_type) ? HB_UNSUPPORTED_MEDIA_TYPE : HB_OK;
}

static hb_str header(struct admin_call *call, const char *name)
{
    return call->control->hub->io->header(call->req, str_of(name));
}

bool admin_access(struct admin_call *call, bool open)
{
    const struct config *config = call->control->config;
    const struct server_asker who = {
        .method = call->req->method,
        .host = header(call, "host"),
        .origin = header(call, "origin"),
        .authorization = header(call, "authorization"),
        .content_type = header(call, "content-type"),
    };
    const char *why;
    hb_code code = open && config->admin.token[0] ? HB_OK : admin_judge(config, &who, &why);
    if (code != HB_OK)
        admin_error(call, code, why);
    return code == HB_OK;
}
