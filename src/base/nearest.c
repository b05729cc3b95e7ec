/* nearest.c - the restricted Damerau-Levenshtein distance of two short words. */
#include "base/nearest.h"

enum { LONGEST = 31 };

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

unsigned c66_distance(const char *a, size_t a_length, const char *b, size_t b_length,
                      unsigned limit) {
  unsigned rows[3][LONGEST + 1]; /* of the table by a's prefixes: two before, before, this */
  size_t i;
  size_t k;
  if (a_length > LONGEST || b_length > LONGEST)
    return limit + 1;
  for (k = 0; k <= b_length; k++)
    rows[0][k] = (unsigned)k;
  for (i = 1; i <= a_length; i++) {
    unsigned *now = rows[i % 3];
    const unsigned *before = rows[(i + 2) % 3];
    const unsigned *two_before = rows[(i + 1) % 3];
    now[0] = (unsigned)i;
    for (k = 1; k <= b_length; k++) {
      unsigned replaced = before[k - 1] + (a[i - 1] != b[k - 1]);
      now[k] = least(replaced, least(before[k], now[k - 1]) + 1);
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
        now[k] = least(now[k], two_before[k - 2] + 1);
    }
  }
  return least(rows[a_length % 3][b_length], limit + 1);
}
