#include "alg.h"
#include <string.h>

static const char names[ALG_COUNT][6] = {
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"};

enum alg alg_parse(hb_str name)
{
    for (int i = 0; i < ALG_COUNT; i++)
        if (name.n == 5 && memcmp(name.p, names[i], 5) == 0)
            return (enum alg)i;
    return ALG_NONE;
}

const char *alg_name(enum alg alg)
{
    return alg == ALG_NONE ? "none" : names[alg];
}

const EVP_MD *alg_digest(enum alg alg)
{
    switch (alg % 3) { /* the three lengths come in one order for each family */
    case 0:
        return EVP_sha256();
    case 1:
        return EVP_sha384();
    default:
        return EVP_sha512();
    }
}

enum alg alg_first(unsigned set)
{
    for (int i = 0; i < ALG_COUNT; i++)
        if (set & ALG_BIT(i))
            return (enum alg)i;
    return ALG_NONE;
}
