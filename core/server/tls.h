/*
 * TLS contexts of the listeners: made and replaced on the control thread, used by all workers.
 * HTTP/1.1 only: the HTTP library's HTTP/2 has no answer to rapid reset (CVE-2023-44487).
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "conf/config.h"
#include "server/libh2o.h"

enum { TLS_LISTENERS_MAX = 32 };

/* The contexts of one configuration, NULL where a listener has no TLS. */
struct tls_set {
    SSL_CTX *contexts[TLS_LISTENERS_MAX];
};

/* False, and a sentence for each listener that fails is added to `errors`. */
bool tls_load(const struct config *config, struct tls_set *out, struct errors *errors);
void tls_free(struct tls_set *set);
/* Put a set in force; the one before lives on, as handshakes may be using it, until tls_finish. */
void tls_use(const struct tls_set *set);
/* Does it have other certificates than the set in force? */
bool tls_differs(const struct tls_set *set);
/* The one in force for a listener: control thread, or workers while they start or reload. */
SSL_CTX *tls_context(int listener);
void tls_finish(void);

#endif
