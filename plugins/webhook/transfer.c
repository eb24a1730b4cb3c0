#include "transfer.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fault_name(enum fault f)
{
    static const char *const names[FAULT_COUNT] = {"none", "connect", "tls", "timeout", "too_large",
        "network", "status", "answer", "overload"};
    return names[f];
}

char *transfer_copy(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = malloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

/* ---- Which URLs. */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static const char *fault_of(const char *scheme, const char *host, const char *user, bool plain_http)
{
    if (!scheme || !host)
        return "it is no URL";
    if (user)
        return "it may not hold a user name or password";
    if (strcmp(scheme, "https") == 0 ||
        (strcmp(scheme, "http") == 0 && (plain_http || is_loopback(host))))
        return NULL;
    return "it has to be an https URL; plain http beyond this machine takes `plain_http: true`";
}

/* Read by the parser that the transfer will use, so that both see the same host. */
bool pool_allows(const char *url, bool plain_http, char *error, size_t error_size)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
        curl_url_get(u, CURLUPART_HOST, &host, 0);
        curl_url_get(u, CURLUPART_USER, &user, 0);
    }
    const char *fault = fault_of(scheme, host, user, plain_http);
    if (fault)
        snprintf(error, error_size, "%s", fault);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(u);
    return !fault;
}

/* ---- One transfer. */

static bool add_header(struct transfer *t, const char *name, const char *value)
{
    char line[512];
    snprintf(line, sizeof(line), "%s:%s%s", name, *value ? " " : "", value);
    struct curl_slist *grown = curl_slist_append(t->headers, line);
    if (grown)
        t->headers = grown;
    return grown;
}

static bool add_headers(struct transfer *t, const struct pool_post *post)
{
    char timestamp[24];
    snprintf(timestamp, sizeof(timestamp), "%" PRId64, post->timestamp_s);
    return add_header(t, "content-type", "application/json") &&
        add_header(t, "expect", "") && /* nothing: none is sent */
        add_header(t, "webhook-id", post->id) && add_header(t, "webhook-timestamp", timestamp) &&
        add_header(t, "webhook-signature", post->signature);
}

struct transfer *transfer_create(const struct pool_post *post)
{
    struct transfer *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->url = transfer_copy(post->url);
    if (!t->url || !add_headers(t, post)) {
        transfer_destroy(t);
        return NULL;
    }
    t->post = *post;
    t->post.url = t->post.id = t->post.signature = NULL;
    return t;
}

void transfer_destroy(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t->post.body);
    free(t->answer);
    free(t->url);
    free(t);
}

static size_t on_body(char *bytes, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    if (n > t->answer_max - t->answer_n) {
        t->too_large = true;
        return 0;
    }
    char *grown = realloc(t->answer, t->answer_n + n);
    if (!grown)
        return 0;
    t->answer = grown;
    memcpy(grown + t->answer_n, bytes, n);
    t->answer_n += n;
    return n * one;
}

static void set_bounds(CURL *c, const struct pool_settings *s, int64_t timeout_ms)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)s->response_size);
    if (*s->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
}

bool transfer_prepare(struct transfer *t, const struct pool_settings *s, int64_t timeout_ms)
{
    CURL *c = t->easy = curl_easy_init();
    if (!c)
        return false;
    t->answer_max = (size_t)s->response_size;
    set_bounds(c, s, timeout_ms);
    curl_easy_setopt(c, CURLOPT_URL, t->url);
    if (strncmp(t->url, "http:", 5) == 0)
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*"); /* plain text takes no detour */
    curl_easy_setopt(c, CURLOPT_USERAGENT, "hubbub-webhook");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->post.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->post.body);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    return curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
}

enum fault transfer_fault(const struct transfer *t, CURLcode result, int *status)
{
    long code = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
    *status = (int)code;
    if (t->too_large)
        return FAULT_TOO_LARGE;
    switch (result) {
    case CURLE_OK:
        return FAULT_NONE;
    case CURLE_FILESIZE_EXCEEDED:
        return FAULT_TOO_LARGE;
    case CURLE_OPERATION_TIMEDOUT:
        return FAULT_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return FAULT_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return FAULT_TLS;
    default:
        return FAULT_NETWORK;
    }
}

int pool_post_blocking(const struct pool_settings *settings, const struct pool_post *post)
{
    struct transfer *t = transfer_create(post);
    int status = 0;
    if (!t) {
        free(post->body);
        return 0;
    }
    if (transfer_prepare(t, settings, post->timeout_ms)) {
        CURLcode result = curl_easy_perform(t->easy);
        if (transfer_fault(t, result, &status) != FAULT_NONE)
            status = 0;
    }
    transfer_destroy(t);
    return status;
}
