/* Randomness from the kernel, and a keyed hash. Any thread. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <hubbub/types.h>

void rand_bytes(void *p, size_t n);          /* getrandom(2); aborts when the kernel has none */
uint64_t rand_u64(void);
uint64_t rand_below(uint64_t bound);         /* uniform in [0, bound); bound > 0 */
uint64_t hash_siphash13(hb_str s, const uint8_t key[16]);
/* A hash that is the same in every process and on every machine (fixed key): for choosing a room's
 * home and naming rooms inside cursors. Not for hash tables. */
uint64_t hash_stable(hb_str s);

#endif
