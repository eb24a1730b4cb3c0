/* The signature algorithms of RFC 7518, section 3, that are understood here. Pure. */
#ifndef AUTH_JWT_ALG_H
#define AUTH_JWT_ALG_H

#include <hubbub/types.h>
#include <openssl/evp.h>

enum alg {
    ALG_HS256,
    ALG_HS384,
    ALG_HS512,
    ALG_RS256,
    ALG_RS384,
    ALG_RS512,
    ALG_ES256,
    ALG_ES384,
    ALG_ES512,
    ALG_COUNT,
    ALG_NONE = -1 /* "none", or one that is not known */
};

/* Sets of algorithms are masks of ALG_BIT. */
#define ALG_BIT(alg) (1u << (alg))
enum {
    ALG_HS = ALG_BIT(ALG_HS256) | ALG_BIT(ALG_HS384) | ALG_BIT(ALG_HS512),
    ALG_RS = ALG_BIT(ALG_RS256) | ALG_BIT(ALG_RS384) | ALG_BIT(ALG_RS512),
    ALG_ES = ALG_BIT(ALG_ES256) | ALG_BIT(ALG_ES384) | ALG_BIT(ALG_ES512),
    ALG_ALL = ALG_HS | ALG_RS | ALG_ES
};

enum alg alg_parse(hb_str name); /* exact spelling, case included */
const char *alg_name(enum alg alg);
const EVP_MD *alg_digest(enum alg alg);
/* The one of the lowest number in a set; ALG_NONE of the empty one. */
enum alg alg_first(unsigned set);

#endif
