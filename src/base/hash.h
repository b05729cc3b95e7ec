/* hash.h - a number to a few bits, for small tables. */
#ifndef C66_HASH_H
#define C66_HASH_H

#include "base/base.h"

/* `bits` bits (1 to 32) in which any difference of keys is likely to show: the top ones of the product
 * with 2^64 over the golden ratio. */
static inline size_t c66_hash_bits(uint64_t key, unsigned bits) {
  return (size_t)((key * 0x9E3779B97F4A7C15U) >> (64 - bits));
}

#endif
