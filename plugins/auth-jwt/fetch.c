#include "fetch.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char *bytes; /* owned */
    size_t n, max;
    bool too_large;
    const atomic_bool *interrupt;
};

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static const char *fault_of(const char *scheme, const char *host, const char *user)
{
    if (!scheme || !host)
        return "is no URL";
    if (user)
        return "may not hold a user name or password";
    if (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host)))
        return NULL;
    return "has to be an https URL (http only on a loopback address)";
}

/* Read by the parser that the fetch will use, so that both see the same host. */
bool fetch_allows(const char *url, char *error, size_t error_size)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
        curl_url_get(u, CURLUPART_HOST, &host, 0);
        curl_url_get(u, CURLUPART_USER, &user, 0);
    }
    const char *fault = fault_of(scheme, host, user);
    if (fault)
        snprintf(error, error_size, "it %s", fault);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(u);
    return !fault;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *arg)
{
    struct body *b = arg;
    if (n > b->max - b->n) {
        b->too_large = true;
        return 0;
    }
    char *grown = realloc(b->bytes, b->n + n + 1);
    if (!grown)
        return 0;
    b->bytes = grown;
    memcpy(grown + b->n, bytes, n);
    b->n += n;
    return n * one;
}

static int on_progress(
    void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put, curl_off_t put)
{
    const struct body *b = arg;
    return atomic_load(b->interrupt);
}

static void prepare(CURL *c, const char *url, const struct fetch_limits *limits, struct body *b)
{
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)limits->timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)limits->timeout_ms);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "hubbub-auth-jwt");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, b);
    if (strncmp(url, "http:", 5) == 0)
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*"); /* plain text stays on this machine */
    if (*limits->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, limits->ca_file);
}

static bool explain(CURLcode rc, long status, const struct body *b, char *error, size_t error_size)
{
    if (b->too_large)
        snprintf(error, error_size, "the answer is larger than %zu bytes", b->max);
    else if (rc != CURLE_OK)
        snprintf(error, error_size, "%s", curl_easy_strerror(rc));
    else if (status >= 300 && status < 400)
        snprintf(error, error_size, "it answers %ld, and redirects are not followed", status);
    else if (status != 200)
        snprintf(error, error_size, "it answers %ld", status);
    else if (!b->n)
        snprintf(error, error_size, "the answer is empty");
    else
        return true;
    return false;
}

char *fetch_get(
    const char *url, const struct fetch_limits *limits, size_t *n, char *error, size_t error_size)
{
    struct body b = {.max = (size_t)limits->size_max, .interrupt = limits->interrupt};
    CURL *c = curl_easy_init();
    if (!c) {
        snprintf(error, error_size, "no memory");
        return NULL;
    }
    prepare(c, url, limits, &b);
    CURLcode rc = curl_easy_perform(c);
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    bool ok = explain(rc, status, &b, error, error_size);
    curl_easy_cleanup(c);
    if (ok) {
        *n = b.n;
        return b.bytes;
    }
    free(b.bytes);
    return NULL;
}
