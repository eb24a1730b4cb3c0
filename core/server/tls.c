#include "server/tls.h"

#include "base/check.h"
#include <openssl/err.h>
#include <stdlib.h>

/* Every set that was in force, newest first. A reload is rare and a context is small. */
struct used {
    struct tls_set set;
    struct used *before;
};
static struct used *in_force;

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned size, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    int rc = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_size, ours,
        sizeof ours - 1, offered, size);
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make(const struct config_listen *l)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
        | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* 9 KB less for each connection */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do, without a lock */
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(ctx, l->tls.certificate) == 1
        && SSL_CTX_use_PrivateKey_file(ctx, l->tls.key, SSL_FILETYPE_PEM) == 1
        && SSL_CTX_check_private_key(ctx) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool tls_load(const struct config *config, struct tls_set *out, struct errors *errors)
{
    bool ok = true;
    *out = (struct tls_set){{NULL}};
    for (size_t i = 0; i < config->listen.n && i < TLS_LISTENERS_MAX; i++) {
        const struct config_listen *l = &config->listen.items[i];
        if (!l->tls.certificate[0])
            continue;
        ERR_clear_error();
        out->contexts[i] = make(l);
        if (out->contexts[i])
            continue;
        unsigned long why = ERR_peek_error();
        errors_at(errors, l->node, "tls: the certificate %s and key %s can't be used: %s",
            l->tls.certificate, l->tls.key, why ? ERR_reason_error_string(why) : "unknown error");
        ok = false;
    }
    if (!ok)
        tls_free(out);
    return ok;
}

void tls_free(struct tls_set *set)
{
    for (int i = 0; i < TLS_LISTENERS_MAX; i++)
        SSL_CTX_free(set->contexts[i]);
    *set = (struct tls_set){{NULL}};
}

void tls_use(const struct tls_set *set)
{
    struct used *u = mem_alloc(sizeof *u);
    *u = (struct used){*set, in_force};
    in_force = u;
}

bool tls_differs(const struct tls_set *set)
{
    for (int i = 0; i < TLS_LISTENERS_MAX; i++) {
        SSL_CTX *now = in_force->set.contexts[i], *next = set->contexts[i];
        if (now && next && X509_cmp(SSL_CTX_get0_certificate(now), SSL_CTX_get0_certificate(next)) != 0)
            return true;
    }
    return false;
}

SSL_CTX *tls_context(int listener)
{
    return in_force->set.contexts[listener];
}

void tls_finish(void)
{
    while (in_force) {
        struct used *u = in_force;
        in_force = u->before;
        tls_free(&u->set);
        free(u);
    }
}
