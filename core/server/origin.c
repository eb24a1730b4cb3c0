#include "server/origin.h"

#include "base/str.h"
#include <string.h>

/* Split "host:port" or "[v6]:port"; the port is absent when none is named. */
static void split_port(hb_str text, hb_str *host, hb_str *port)
{
    size_t bracket = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ']')
            bracket = i;
    const char *colon = memchr(text.p + bracket, ':', text.n - bracket);
    *host = text;
    *port = (hb_str){0};
    if (!colon)
        return;
    host->n = (size_t)(colon - text.p);
    *port = (hb_str){colon + 1, text.n - host->n - 1};
}

static bool own(hb_str origin, hb_str host)
{
    hb_str scheme_port;
    if (str_starts(origin, HB_STR("http://"))) {
        scheme_port = HB_STR("80");
        origin = str_sub(origin, 7, SIZE_MAX);
    } else if (str_starts(origin, HB_STR("https://"))) {
        scheme_port = HB_STR("443");
        origin = str_sub(origin, 8, SIZE_MAX);
    } else {
        return false;
    }
    if (!origin.n || !host.n)
        return false;
    hb_str name, port, own_name, own_port;
    split_port(origin, &name, &port);
    split_port(host, &own_name, &own_port);
    return str_eq_nocase(name, own_name)
        && str_eq(port.p ? port : scheme_port, own_port.p ? own_port : scheme_port);
}

enum origin origin_check(const struct config *config, hb_str origin, hb_str host)
{
    if (!origin.p)
        return ORIGIN_NONE;
    if (str_eq_nocase(origin, HB_STR("null")))
        return ORIGIN_REFUSED;
    if (own(origin, host))
        return ORIGIN_OWN;
    if (config->cors.any)
        return ORIGIN_ALLOWED;
    for (size_t i = 0; i < config->cors.origins.n; i++)
        if (str_eq_nocase(config->cors.origins.items[i], origin))
            return ORIGIN_ALLOWED;
    return ORIGIN_REFUSED;
}

hb_str origin_bearer(hb_str authorization)
{
    static const size_t scheme = sizeof "bearer" - 1;
    if (!str_eq_nocase(str_sub(authorization, 0, scheme), HB_STR("bearer")))
        return (hb_str){0};
    hb_str rest = str_sub(authorization, scheme, SIZE_MAX);
    if (rest.n && *rest.p != ' ')
        return (hb_str){0};
    hb_str token = str_trim(rest);
    return token.n ? token : HB_STR("");
}

hb_str origin_cookie(hb_str cookies, hb_str name)
{
    hb_str field;
    while (str_split(&cookies, ';', &field)) {
        field = str_trim(field);
        const char *equals = field.n ? memchr(field.p, '=', field.n) : NULL;
        if (!equals || !str_eq((hb_str){field.p, (size_t)(equals - field.p)}, name))
            continue;
        hb_str value = str_sub(field, name.n + 1, SIZE_MAX);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = str_sub(value, 1, value.n - 2);
        return value.n ? value : HB_STR("");
    }
    return (hb_str){0};
}
