/* What every fuzz target shares: it defines LLVMFuzzerTestOneInput, and a property that does not
 * hold aborts. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "base/check.h"
#include <stddef.h>
#include <stdint.h>

/* Returns 0. `data` is of exactly `size` bytes, so that a sanitizer sees a read past its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(property) CHECK_INVARIANT(property)

#endif
