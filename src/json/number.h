/* number.h - JSON numbers: checked, whole ones to 64 bits, others to a double. No allocation. */
#ifndef C66_NUMBER_H
#define C66_NUMBER_H

#include "base/ascii.h"
#include "json/input.h"

C66_BEGIN_DECLS

typedef enum c66_number_kind {
  C66_NUMBER_INTEGER,     /* fits int64_t: `integer` holds it */
  C66_NUMBER_BIG_INTEGER, /* whole, beyond int64_t: only the digits are exact */
  C66_NUMBER_REAL         /* has a fraction or an exponent */
} c66_number_kind;

typedef struct c66_number {
  c66_number_kind kind;
  int64_t integer;
  const char *start;
  size_t length;
} c66_number;

/* Whether a number is 1 to 18 digits and no more, as ids are; then its value, and where it ends. */
static inline int c66_json_short_integer(const char *p, const char **end, int64_t *out) {
  const char *start = p;
  int64_t value = 0;
  while (p - start < 18 && c66_is_digit(*p))
    value = value * 10 + (*p++ - '0');
  *end = p;
  *out = value;
  return p > start && (*start != '0' || p - start == 1) && *p != '.' && *p != 'e' && *p != 'E' &&
         !c66_is_digit(*p);
}

/* Reads a number. `out` may be NULL. */
const char *c66_json_number(const c66_json *j, const char *p, c66_number *out);

/*
 * The double a checked number's text stands for, whatever the locale; 0 when it is beyond all
 * doubles. `scratch` takes length + C66_JSON_POINT + 1 bytes.
 */
enum { C66_JSON_POINT = 8 };
int c66_json_real(const char *text, size_t length, char *scratch, double *out);

C66_END_DECLS

#endif
