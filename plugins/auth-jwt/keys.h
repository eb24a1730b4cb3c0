/*
 * Keys, each pinned to the algorithms that fit it, and sets of them. A key and a set are *shared*
 * (ref, unref, from any thread) and immutable once others can see them.
 */
#ifndef AUTH_JWT_KEYS_H
#define AUTH_JWT_KEYS_H

#include "alg.h"

struct key;
struct keys;

enum {
    KEY_SECRET_MIN = 32, /* bytes, unless leniency was asked for */
    KEY_RSA_BITS_MIN = 2048,
    KEY_RSA_BITS_MAX = 8192, /* a bigger one costs too much for each token */
    KEY_KID_MAX = 256,       /* bytes */
    KEYS_MAX = 256           /* in one set */
};

/*
 * Make a key; NULL with a sentence in `error` when that can't be. `kid` may be absent. `pinned` is
 * a set of algorithms, or 0 for all that fit; one that fits none of them is an error.
 */
struct key *key_from_secret(
    hb_str kid, unsigned pinned, hb_str secret, bool lenient, char *error, size_t error_size);
/* The text of a PEM file: a public key or a certificate. */
struct key *key_from_pem(hb_str kid, unsigned pinned, hb_str pem, char *error, size_t error_size);
/* Takes a reference to `pkey`. */
struct key *key_from_pkey(
    hb_str kid, unsigned pinned, EVP_PKEY *pkey, char *error, size_t error_size);
struct key *key_ref(struct key *k);
void key_unref(struct key *k); /* NULL is fine */

hb_str key_kid(const struct key *k); /* absent: none */
unsigned key_algorithms(const struct key *k);
/* The algorithms that fit a public or private key by type and size; 0 with a sentence if none. */
unsigned key_fitting(EVP_PKEY *pkey, char *error, size_t error_size);

/* Is `signature` (raw bytes, ES in the form r||s) that of `text`? False, too, for an algorithm that
 * the key is not pinned to. */
bool key_verify(const struct key *k, enum alg alg, hb_str text, hb_str signature);

struct keys *keys_create(void); /* empty; not shared until it is filled */
struct keys *keys_ref(struct keys *set);
void keys_unref(struct keys *set);                  /* NULL is fine */
bool keys_add(struct keys *set, struct key *adopt); /* false (and unref'd) when the set is full */
bool keys_add_all(struct keys *set, const struct keys *from); /* NULL adds none; false: not all */
size_t keys_count(const struct keys *set);
struct key *keys_at(const struct keys *set, size_t i); /* borrowed; NULL past the end */

/* Does any key of the set bear that kid? */
bool keys_has_kid(const struct keys *set, hb_str kid);
unsigned keys_algorithms(const struct keys *set); /* of all of them together */

#endif
