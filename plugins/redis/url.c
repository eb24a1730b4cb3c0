#include "settings.h"
#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded into `out`; false: too long, or badly written. */
static bool decode(const char *from, const char *to, char *out, size_t size)
{
    size_t n = 0;
    while (from < to) {
        char c = *from++;
        if (c == '%') {
            if (to - from < 2 || hex(from[0]) < 0 || hex(from[1]) < 0)
                return false;
            c = (char)(hex(from[0]) << 4 | hex(from[1]));
            from += 2;
        }
        if (n + 1 >= size || c == '\0')
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool number(const char *text, long max, int *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    long n = strtol(text, &end, 10);
    if (*end || n > max)
        return false;
    *out = (int)n;
    return true;
}

bool place_parse(const char *text, int default_port, struct place *place)
{
    const char *host_end, *colon;
    memset(place, 0, sizeof(*place));
    place->port = default_port;
    if (*text == '[') {
        host_end = strchr(text, ']');
        if (!host_end || (host_end[1] && host_end[1] != ':'))
            return false;
        colon = host_end[1] ? host_end + 1 : NULL;
        text++;
    } else {
        colon = strrchr(text, ':');
        host_end = colon ? colon : text + strlen(text);
    }
    if (colon && (!number(colon + 1, 65535, &place->port) || place->port == 0))
        return false;
    return decode(text, host_end, place->host, sizeof(place->host)) && place->host[0];
}

static bool parse_login(const char *from, const char *at, struct login *login)
{
    const char *colon = memchr(from, ':', (size_t)(at - from));
    if (!colon)
        return decode(from, at, login->user, sizeof(login->user));
    return decode(from, colon, login->user, sizeof(login->user)) &&
        decode(colon + 1, at, login->password, sizeof(login->password));
}

static const char *parse_unix(const char *path, struct place *place, struct login *login)
{
    const char *query = strchr(path, '?'), *end = query ? query : path + strlen(path);
    const char *at = strchr(path, '@'); /* unix://user:password@/path */
    if (at && at < end && *path != '/') {
        if (!parse_login(path, at, login))
            return "url: bad user or password";
        path = at + 1;
    }
    if (*path != '/' || !decode(path, end, place->path, sizeof(place->path)))
        return "url: the path of the socket is not absolute, or too long";
    if (query && (strncmp(query, "?db=", 4) != 0 || !number(query + 4, 65535, &login->db)))
        return "url: only ?db=NUMBER may follow the socket";
    return NULL;
}

static const char *parse_tcp(const char *rest, struct place *place, struct login *login)
{
    char where[512];
    const char *slash = strchr(rest, '/'), *end = slash ? slash : rest + strlen(rest);
    const char *at = NULL;
    for (const char *p = rest; p < end; p++)
        if (*p == '@')
            at = p;
    if (at && !parse_login(rest, at, login))
        return "url: bad user or password";
    if (at)
        rest = at + 1;
    if ((size_t)(end - rest) >= sizeof(where))
        return "url: the host is too long";
    memcpy(where, rest, (size_t)(end - rest));
    where[end - rest] = '\0';
    if (!place_parse(where, 6379, place))
        return "url: host or port is wrong";
    if (slash && slash[1] && !number(slash + 1, 65535, &login->db))
        return "url: the database is a number";
    return NULL;
}

const char *url_parse(const char *url, struct place *place, struct login *login)
{
    memset(place, 0, sizeof(*place));
    memset(login, 0, sizeof(*login));
    if (strncmp(url, "redis://", 8) == 0)
        return parse_tcp(url + 8, place, login);
    if (strncmp(url, "unix://", 7) == 0)
        return parse_unix(url + 7, place, login);
    if (strncmp(url, "redis+unix://", 13) == 0)
        return parse_unix(url + 13, place, login);
    return "url: it begins with redis:// or unix:// (there is no TLS in this build: use a tunnel)";
}
