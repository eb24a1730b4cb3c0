#include "remember.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    unsigned char digest[32];
    hb_outcome who;     /* strings in `bytes` */
    uint64_t until_ms;
    char bytes[];
};

struct remember {
    struct entry *entries[REMEMBER_ENTRIES]; /* owned */
};

struct remember *remember_create(void)
{
    return calloc(1, sizeof(struct remember));
}

void remember_clear(struct remember *r)
{
    for (size_t i = 0; i < REMEMBER_ENTRIES; i++) {
        free(r->entries[i]);
        r->entries[i] = NULL;
    }
}

void remember_destroy(struct remember *r)
{
    if (r)
        remember_clear(r);
    free(r);
}

static size_t place_of(hb_str credential, unsigned char digest[32])
{
    size_t i;
    if (EVP_Digest(credential.p, credential.n, digest, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* can't fail but for want of a few bytes */
    memcpy(&i, digest, sizeof(i));
    return i % REMEMBER_ENTRIES;
}

static hb_str pack(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = memcpy(*at, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

void remember_put(struct remember *r, hb_str credential, const hb_outcome *who, uint64_t until_ms)
{
    unsigned char digest[32];
    size_t i = place_of(credential, digest), n = who->user.n + who->rights.n + who->token_id.n;
    struct entry *e = n <= REMEMBER_BYTES ? malloc(sizeof(*e) + n) : NULL;
    free(r->entries[i]);
    r->entries[i] = e;
    if (!e)
        return;
    char *at = e->bytes;
    memcpy(e->digest, digest, sizeof(digest));
    e->until_ms = until_ms;
    e->who = *who;
    e->who.message = e->who.data = (hb_str){NULL, 0};
    e->who.user = pack(&at, who->user);
    e->who.rights = pack(&at, who->rights);
    e->who.token_id = pack(&at, who->token_id);
}

const hb_outcome *remember_get(const struct remember *r, hb_str credential, uint64_t now_ms)
{
    unsigned char digest[32];
    const struct entry *e = r->entries[place_of(credential, digest)];
    if (!e || e->until_ms <= now_ms || memcmp(e->digest, digest, sizeof(digest)) != 0)
        return NULL;
    return &e->who;
}
