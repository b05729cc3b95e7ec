/* nearest.h - how far a misspelt word is from a known one. No allocation. */
#ifndef C66_NEAREST_H
#define C66_NEAREST_H

#include "base/base.h"

C66_BEGIN_DECLS

/*
 * Edits (insert, delete, replace, swap neighbours) from `a` to `b`, both at most 31 bytes; larger
 * texts and distances count as `limit` + 1.
 */
unsigned c66_distance(const char *a, size_t a_length, const char *b, size_t b_length,
                      unsigned limit);

C66_END_DECLS

#endif
