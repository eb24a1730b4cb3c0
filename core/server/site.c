#include "server/site.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/request.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CLIENT_MAX = 4 * 1024 * 1024 };

struct site {
    struct buf client_path;   /* "/hub/client.js" */
    struct buf client;        /* its text; empty: not found */
    char etag[24];
    /* h2o's file handler, in a configuration of its own that no context serves: it is called by
     * hand, so that a reload can replace it. */
    h2o_globalconf_t conf;
    h2o_handler_t *files;     /* NULL: no static files */
    const char *path;         /* where they are, "/…/" or "/" */
};

/* ---- the browser client ---- */

static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CLIENT_MAX;
    for (ssize_t n = 1; ok && n > 0;) {
        char *room = buf_reserve(out, 65536);
        n = room ? read(fd, room, 65536) : -1;
        ok = n >= 0;
        out->n += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return ok && out->n > 0;
}

/* In a build tree the executable stands at its root; else what was installed. */
static bool in_build_tree(void)
{
    char exe[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = n > 0 ? strrchr(exe, '/') : NULL;
    if (slash)
        *slash = 0;
    return slash && !strcmp(exe, HB_BUILD_ROOT);
}

static void read_client(struct site *s, const struct config *config)
{
    const char *file = in_build_tree() ? HB_CLIENT_SOURCE : HB_CLIENT_INSTALLED;
    buf_lit(&s->client_path, config->base_path);
    buf_lit(&s->client_path, "/client.js");
    if (!read_file(file, &s->client)) {
        log_write(LOG_WARN, "client", "can't read %s: %s is not served", file, s->client_path.p);
        buf_clear(&s->client);
    }
    snprintf(s->etag, sizeof s->etag, "\"%016llx\"",
        (unsigned long long)hash_stable(buf_view(&s->client)));
}

static bool only_reads(const struct request *r)
{
    return str_eq(r->pub.method, HB_STR("GET")) || str_eq(r->pub.method, HB_STR("HEAD"));
}

static void refuse_method(struct request *r)
{
    struct buf body = BUF_INIT;
    hb_header headers[] = {{HB_STR("allow"), HB_STR("GET, HEAD")},
        {HB_STR("content-type"), HB_STR("application/json")}, {HB_STR("cache-control"), HB_STR("no-store")}};
    request_error_body(&body, HB_METHOD_NOT_ALLOWED, HB_STR("This can only be read."));
    request_respond(&r->pub, 405, headers, 3, buf_view(&body));
    buf_finish(&body);
}

static void send_client(const struct site *s, struct request *r)
{
    if (!only_reads(r)) {
        refuse_method(r);
        return;
    }
    hb_header headers[] = {
        {HB_STR("content-type"), HB_STR("text/javascript; charset=utf-8")},
        {HB_STR("cache-control"), HB_STR("no-cache")},
        {HB_STR("etag"), str_of(s->etag)},
    };
    hb_str known = request_header(&r->pub, HB_STR("if-none-match"));
    bool same = known.n && str_find(known, str_of(s->etag)) != SIZE_MAX;
    hb_str body = same ? HB_STR("") : buf_view(&s->client);
    request_respond(&r->pub, same ? 304 : 200, headers, 3, body);
}

/* ---- static files ---- */

static void register_files(struct site *s, const struct config *config)
{
    s->path = config->static_files.path;
    if (!config->static_files.directory[0])
        return;
    h2o_config_init(&s->conf);
    h2o_hostconf_t *host = h2o_config_register_host(&s->conf, h2o_iovec_init(H2O_STRLIT("default")),
        65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, s->path, 0);
    s->files = (h2o_handler_t *)h2o_file_register(path, config->static_files.directory, NULL,
        NULL, 0);
}

/* The part of the path behind the prefix, or absent. */
static hb_str below(hb_str path, hb_str prefix)
{
    if (str_ends(prefix, HB_STR("/")))
        prefix.n--;
    if (!str_starts(path, prefix) || (path.n > prefix.n && path.p[prefix.n] != '/'))
        return (hb_str){0};
    return path.n > prefix.n ? str_sub(path, prefix.n, SIZE_MAX) : HB_STR("");
}

/* Hidden files are not for everybody: .git, .env and the like. */
static bool hidden(hb_str path)
{
    size_t at = str_find(path, HB_STR("/."));
    return at != SIZE_MAX && !str_starts(path, HB_STR("/.well-known/"));
}

static bool send_file(const struct site *s, struct request *r)
{
    h2o_req_t *h = r->tie->req;
    hb_str normal = {h->path_normalized.base, h->path_normalized.len};
    hb_str rest = below(normal, str_of(s->path));
    if (!rest.p || hidden(rest) || memchr(normal.p, 0, normal.n) || !only_reads(r))
        return false;
    return s->files->on_req(s->files, h) == 0;
}

/* ---- both ---- */

struct site *site_create(const struct config *config)
{
    struct site *s = mem_zalloc(sizeof *s);
    read_client(s, config);
    register_files(s, config);
    return s;
}

void site_destroy(struct site *s)
{
    if (!s)
        return;
    buf_finish(&s->client);
    buf_finish(&s->client_path);
    if (s->files)
        h2o_config_dispose(&s->conf);
    free(s);
}

bool site_answer(const struct site *s, struct request *r)
{
    if (s->client.n && str_eq(r->pub.path, buf_view(&s->client_path))) {
        send_client(s, r);
        return true;
    }
    if (!s->files || !send_file(s, r))
        return false;
    request_destroy(r);
    return true;
}
