/* What no table can say: keys that depend on each other, on the machine or on a grammar. */
#include "base/str.h"
#include "base/utf8.h"
#include "conf/parse.h"
#include "conf/schema.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODE_NAME_BYTES = 64, PATTERN_BYTES = 129, ORIGIN_BYTES = 300, TRUST_MAX = 256 };

/* Where a key stands, or failing that the map it belongs in. `path` is dotted. */
static const hb_node *find(const hb_node *from, const char *path)
{
    hb_str rest = str_of(path), key;
    while (str_split(&rest, '.', &key)) {
        const hb_node *next = node_get(from, key);
        if (!next)
            break;
        from = next;
    }
    return from;
}

static bool given(const hb_node *map, const char *key)
{
    return node_get(map, str_of(key)) != NULL;
}

/* ---- the node and its threads ---- */

static void verify_node(struct config *c, struct errors *errors)
{
    char host[256] = "";
    if (!*c->node && !given(c->root, "node")) {
        const char *name = getenv("HOSTNAME");
        if (!name || !*name)
            name = gethostname(host, sizeof(host) - 1) == 0 && *host ? host : "hubbub";
        c->node = arena_copy(&c->arena, str_sub(str_of(name), 0, NODE_NAME_BYTES));
    }
    const hb_node *where = node_get(c->root, HB_STR("node"));
    if (where && (where->kind != NODE_SCALAR || where->broken))
        return; /* told already */
    if (!utf8_name(str_of(c->node), 1, NODE_NAME_BYTES) || strpbrk(c->node, " /"))
        errors_at(errors, where ? where : c->root,
            "'node': must be of 1 to %d bytes without spaces and slashes", NODE_NAME_BYTES);
}

static void verify_workers(struct config *c)
{
    cpu_set_t cores;
    if (c->workers == 0 && sched_getaffinity(0, sizeof(cores), &cores) == 0)
        c->workers = CPU_COUNT(&cores);
    if (c->workers < 1)
        c->workers = 1;
}

/* ---- addresses ---- */

static bool is_any(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static void verify_address(const char **address, const hb_node *where, struct errors *errors)
{
    uint8_t bytes[16];
    if (strcmp(*address, "localhost") == 0)
        *address = "127.0.0.1";
    if (inet_pton(AF_INET, *address, bytes) != 1 && inet_pton(AF_INET6, *address, bytes) != 1)
        errors_at(errors, where, "'address': expected an IP address such as 0.0.0.0 or ::1");
}

static bool takes(const struct config_listen *l, const char *address, int64_t port)
{
    return l->node && l->port == port &&
           (is_any(l->address) || is_any(address) || strcmp(l->address, address) == 0);
}

static void verify_file(const char *path, const hb_node *where, struct errors *errors)
{
    struct stat st;
    if (*path && (access(path, R_OK) != 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode)))
        errors_at(errors, where, "the file %.300s is not there or can't be read", path);
}

static void verify_tls(const struct config_listen *l, struct errors *errors)
{
    const hb_node *tls = node_get(l->node, HB_STR("tls"));
    if (!tls)
        return;
    if (!*l->tls.certificate || !*l->tls.key)
        errors_at(errors, tls, "'tls' needs both 'certificate' and 'key'");
    verify_file(l->tls.certificate, find(tls, "certificate"), errors);
    verify_file(l->tls.key, find(tls, "key"), errors);
}

static void verify_listen(struct config *c, struct errors *errors)
{
    if (c->listen.n == 0)
        errors_at(errors, find(c->root, "listen"), "'listen': at least one listener is needed");
    for (size_t i = 0; i < c->listen.n; i++) {
        struct config_listen *l = &c->listen.items[i];
        if (!l->node)
            continue;
        verify_address(&l->address, find(l->node, "address"), errors);
        verify_tls(l, errors);
        if (l->proxy_protocol && c->trusted_proxies.n == 0)
            errors_at(errors, find(l->node, "proxy_protocol"),
                "'proxy_protocol' needs 'trusted_proxies': its headers are believed from these "
                "only");
        for (size_t j = 0; j < i; j++)
            if (takes(&c->listen.items[j], l->address, l->port))
                errors_at(errors, l->node, "another listener has this port already");
    }
}

static void verify_proxies(struct raw_config *raw, struct errors *errors)
{
    struct config *c = &raw->config;
    const hb_node *where = find(c->root, "trusted_proxies");
    size_t n = raw->trusted_proxies.n;
    char shown[64];
    if (n > TRUST_MAX) {
        errors_at(errors, where, "'trusted_proxies': more than %d", TRUST_MAX);
        return;
    }
    c->trusted_proxies.items = arena_alloc(&c->arena, (n + 1) * sizeof(struct cidr));
    for (size_t i = 0; i < n; i++) {
        const hb_node *item = where->kind == NODE_LIST ? node_item(where, i) : where;
        if (cidr_parse(
                raw->trusted_proxies.items[i].p, &c->trusted_proxies.items[c->trusted_proxies.n]))
            c->trusted_proxies.n++;
        else
            errors_at(errors, item, "%s is no address or block such as 10.0.0.0/8",
                node_shown(item, shown));
    }
}

static void verify_admin(struct config *c, struct errors *errors)
{
    const hb_node *where = find(c->root, "admin.address");
    if (c->admin.port == 0)
        return;
    verify_address(&c->admin.address, where, errors);
    if (!cidr_text_is_loopback(c->admin.address) && !*c->admin.token)
        errors_at(errors, where,
            "'admin.address': on an address that is not loopback, "
            "'admin.token' is required");
    for (size_t i = 0; i < c->listen.n; i++)
        if (takes(&c->listen.items[i], c->admin.address, c->admin.port))
            errors_at(errors, find(c->root, "admin.port"), "'admin': a listener has this port");
}

/* ---- paths ---- */

static bool is_url_path(const char *path)
{
    for (const char *p = path; *p; p++)
        if (*p <= ' ' || *p == 0x7f || strchr("?#\\", *p))
            return false;
    return *path == '/' && !strstr(path, "//") && !strstr(path, "/.");
}

static void verify_paths(struct config *c, struct errors *errors)
{
    struct stat st;
    size_t n = strlen(c->base_path);
    if (!is_url_path(c->base_path))
        errors_at(errors, find(c->root, "base_path"), "'base_path': expected a path such as /hub");
    else if (c->base_path[n - 1] == '/')
        c->base_path = arena_copy(&c->arena, (hb_str){c->base_path, n - 1});
    if (!is_url_path(c->static_files.path))
        errors_at(errors, find(c->root, "static.path"), "'static.path': expected a path such as /");
    const char *folder = c->static_files.directory;
    if (*folder && (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)))
        errors_at(errors, find(c->root, "static.directory"), "there is no folder %.300s", folder);
    else if (!*folder && given(c->root, "static"))
        errors_at(errors, find(c->root, "static"), "'static' needs a 'directory'");
}

/* ---- origins ---- */

/* scheme "://" host [":" port], as RFC 6454 section 6.2 has it. */
static bool is_origin(hb_str s)
{
    size_t scheme = str_find(s, HB_STR("://"));
    if (scheme == SIZE_MAX || scheme == 0 || !isalpha((unsigned char)s.p[0]))
        return false;
    for (size_t i = 0; i < scheme; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("+-.", s.p[i]))
            return false;
    hb_str rest = str_sub(s, scheme + 3, s.n);
    for (size_t i = 0; i < rest.n; i++)
        if (!isalnum((unsigned char)rest.p[i]) && !strchr("-._:[]", rest.p[i]))
            return false;
    return rest.n > 0;
}

/* Browsers send lower case, and no port where it is the scheme's own. */
static hb_str normal_origin(struct arena *a, hb_str s)
{
    char *p = arena_copy(a, s);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)tolower((unsigned char)p[i]);
    s.p = p;
    if (str_starts(s, HB_STR("https://")) && str_ends(s, HB_STR(":443")))
        s.n -= 4;
    else if (str_starts(s, HB_STR("http://")) && str_ends(s, HB_STR(":80")))
        s.n -= 3;
    p[s.n] = 0;
    return s;
}

static void verify_cors(struct config *c, struct errors *errors)
{
    hb_str *items = arena_alloc(&c->arena, (c->cors.origins.n + 1) * sizeof(*items));
    const hb_node *where = find(c->root, "cors.origins");
    size_t n = 0;
    for (size_t i = 0; i < c->cors.origins.n; i++) {
        hb_str origin = c->cors.origins.items[i];
        if (str_eq(origin, HB_STR("*")))
            c->cors.any = true;
        else if (origin.n <= ORIGIN_BYTES && is_origin(origin))
            items[n++] = normal_origin(&c->arena, origin);
        else
            errors_at(errors, where->kind == NODE_LIST ? node_item(where, i) : where,
                "expected an origin such as https://app.example.com, without a path, or \"*\"");
    }
    c->cors.origins = (hb_strings){items, n};
    if (c->cors.any && c->cors.credentials)
        errors_at(errors, find(c->root, "cors.credentials"),
            "'cors.credentials' can't go with the origin \"*\": name the origins");
}

/* RFC 6265 section 4.1.1: a token. */
static void verify_cookie(struct config *c, struct errors *errors)
{
    for (const char *p = c->credentials.cookie; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            errors_at(errors, find(c->root, "credentials.cookie"), "this can't be a cookie's name");
            return;
        }
}

/* ---- limits ---- */

static void verify_limits(struct config *c, struct errors *errors)
{
    if (c->limits.outbox < c->limits.message_size)
        errors_warn(errors, find(c->root, "limits.outbox"),
            "'limits.outbox' is smaller than 'limits.message_size': the largest messages would "
            "close whoever gets them");
    if (c->limits.inflated_size < c->limits.message_size)
        errors_warn(errors, find(c->root, "limits.inflated_size"),
            "'limits.inflated_size' is smaller than 'limits.message_size'");
}

/* ---- rooms ---- */

static void verify_user_rule(const struct config_room *r, struct errors *errors)
{
    static const char *const fixed[] = {"join", "publish", "presence"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (given(r->node, fixed[i]))
            errors_at(errors, find(r->node, fixed[i]),
                "'%s' has no meaning here: the rooms of users ('@…') are the server's", fixed[i]);
}

static void verify_rule(struct config_room *r, struct errors *errors)
{
    if (r->match[0] == '@')
        verify_user_rule(r, errors);
    if (given(r->node, "match") && !utf8_name(str_of(r->match), 1, PATTERN_BYTES))
        errors_at(errors, find(r->node, "match"),
            "'match': must be of 1 to %d bytes without control characters", PATTERN_BYTES);
    if (r->join == WHO_MEMBERS)
        errors_at(errors, find(r->node, "join"),
            "'join': 'members' is for 'publish' only; one of anyone, authenticated, claim, nobody");
    if (!given(r->node, "history"))
        r->history = (struct config_history){0};
}

static void verify_rooms(struct config *c, struct errors *errors)
{
    bool all = false;
    c->user_rooms = (struct config_room){.match = "@*",
        .join = WHO_NOBODY,
        .publish = WHO_NOBODY,
        .history = {.messages = 100, .age_ms = 3600 * 1000, .bytes = 1 << 20},
        .node = find(c->root, "rooms")};
    for (size_t i = 0; i < c->rooms.n; i++) {
        struct config_room *r = &c->rooms.items[i];
        if (!r->node)
            continue;
        verify_rule(r, errors);
        if (all && r->match[0] != '@')
            errors_warn(errors, r->node, "this rule is never reached: an earlier one matches all");
        all |= strcmp(r->match, "*") == 0;
    }
}

/* ---- alerts ---- */

static void verify_texts(const hb_node *map, const char *what, struct errors *errors)
{
    if (!map || map->kind == NODE_NULL || map->broken)
        return;
    if (map->kind != NODE_MAP) {
        errors_at(errors, map, "'%s': expected a map, 'name: value'", what);
        return;
    }
    for (size_t i = 0; i < map->n; i++)
        if (node_item(map, i)->kind != NODE_SCALAR)
            errors_at(errors, node_item(map, i), "'%s': expected a text", what);
}

/* A name as Prometheus and its Alertmanager take it; what begins with two lines is theirs. */
static bool is_label(hb_str name)
{
    if (name.n == 0 || isdigit((unsigned char)name.p[0]) || str_starts(name, HB_STR("__")))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
            return false;
    return true;
}

static void verify_labels(const hb_node *labels, struct errors *errors)
{
    verify_texts(labels, "labels", errors);
    if (!labels || labels->kind != NODE_MAP || labels->broken)
        return;
    for (size_t i = 0; i < labels->n; i++) {
        hb_str name = node_text(node_key(labels, i));
        if (!is_label(name))
            errors_at(errors, node_key(labels, i),
                "'labels': a label's name has letters, digits and _, and begins with no digit and "
                "no '__'");
        else if (str_eq(name, HB_STR("alertname")))
            errors_at(errors, node_key(labels, i), "'labels': 'alertname' is what 'alert' says");
    }
}

static void verify_condition(struct config_alert *a, struct errors *errors)
{
    bool spike = given(a->node, "spike"), rate = given(a->node, "rate");
    bool quantile = given(a->node, "quantile"), over = given(a->node, "over");
    a->has_above = given(a->node, "above");
    a->has_below = given(a->node, "below");
    bool collapse = given(a->node, "collapse");
    a->kind = spike      ? ALERT_SPIKE
              : collapse ? ALERT_COLLAPSE
              : quantile ? ALERT_QUANTILE
              : rate     ? ALERT_RATE
                         : ALERT_VALUE;
    if (quantile + (spike || collapse || rate || given(a->node, "of")) > 1)
        errors_at(errors, a->node, "'quantile' goes with 'above' or 'below' only");
    else if (quantile != over)
        errors_at(errors, a->node, "'quantile' and 'over' go together");
    else if (a->has_above + a->has_below + spike + collapse != 1)
        errors_at(errors, a->node,
            "one of 'above', 'below', 'spike' and 'collapse' is needed, and only one");
}

static const char *skip_name(const char *s)
{
    while (isalnum((unsigned char)*s) || *s == '_' || *s == ':')
        s++;
    return s;
}

/* A name, or name{label="value",…} */
static bool is_metric(const char *s)
{
    if (isdigit((unsigned char)*s) || skip_name(s) == s)
        return false;
    s = skip_name(s);
    if (!*s)
        return true;
    do {
        const char *label = ++s;
        s = skip_name(s);
        if (s == label || strncmp(s, "=\"", 2) != 0)
            return false;
        s += 2 + strcspn(s + 2, "\"\\");
        if (*s++ != '"')
            return false;
    } while (*s == ',');
    return strcmp(s, "}") == 0;
}

static void verify_metric(
    const struct config_alert *a, const char *key, const char **metric, struct errors *errors)
{
    if (!given(a->node, key) || is_metric(*metric))
        return;
    errors_at(
        errors, find(a->node, key), "'%s': expected a metric, name or name{label=\"value\"}", key);
    *metric = ""; /* whoever looks further sees what is well-formed */
}

static void verify_once(const struct config *c, size_t i, struct errors *errors)
{
    const struct config_alert *a = &c->alerts.items[i];
    for (size_t j = 0; j < i; j++)
        if (c->alerts.items[j].node && *a->alert && strcmp(a->alert, c->alerts.items[j].alert) == 0)
            errors_at(errors, find(a->node, "alert"), "'alert': there are two of that name");
}

static void verify_alerts(struct config *c, struct errors *errors)
{
    if (c->notify.n > NOTIFY_MAX)
        errors_at(errors, find(c->root, "alerts.notify"), "at most %d can be told", NOTIFY_MAX);
    if (c->alerts.n > ALERTS_MAX)
        errors_at(errors, find(c->root, "alerts.rules"), "at most %d rules", ALERTS_MAX);
    for (size_t i = 0; i < c->notify.n; i++) {
        const struct config_notify *n = &c->notify.items[i];
        hb_str url = str_of(n->webhook);
        if (n->node && url.n && !str_starts(url, HB_STR("http://")) &&
            !str_starts(url, HB_STR("https://")))
            errors_at(errors, find(n->node, "webhook"), "'webhook': expected an http or https URL");
    }
    for (size_t i = 0; i < c->alerts.n; i++) {
        struct config_alert *a = &c->alerts.items[i];
        if (!a->node)
            continue;
        verify_condition(a, errors);
        verify_labels(a->labels, errors);
        verify_texts(a->annotations, "annotations", errors);
        verify_metric(a, "metric", &a->metric, errors);
        verify_metric(a, "of", &a->of, errors);
        verify_once(c, i, errors);
    }
}

void verify(struct raw_config *raw, struct errors *errors)
{
    struct config *c = &raw->config;
    verify_node(c, errors);
    verify_workers(c);
    verify_proxies(raw, errors);
    verify_listen(c, errors);
    verify_admin(c, errors);
    verify_paths(c, errors);
    verify_cors(c, errors);
    verify_cookie(c, errors);
    verify_limits(c, errors);
    verify_rooms(c, errors);
    verify_alerts(c, errors);
}
