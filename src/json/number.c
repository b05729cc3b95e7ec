/* number.c - JSON numbers: checked, whole ones to 64 bits, others to a double. */
#include "json/number.h"

#include <float.h>
#if defined(_WIN32)
#include <locale.h>
#else
#include <langinfo.h>
#endif
#include <stdlib.h>
#include <string.h>

static const char *digits(const char *p) {
  while (c66_is_digit(*p))
    p++;
  return p;
}

/* Whether the digits fit; the magnitude may be one larger when negative. */
static int to_integer(const char *p, const char *end, int negative, int64_t *out) {
  const uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1U : 0U);
  const char *safe = end - p > 18 ? p + 18 : end; /* so many digits fit in any case */
  uint64_t value = 0;
  for (; p < safe; p++)
    value = value * 10 + (unsigned)(*p - '0');
  for (; p < end; p++) {
    unsigned digit = (unsigned)(*p - '0');
    if (value > (limit - digit) / 10)
      return 0;
    value = value * 10 + digit;
  }
  *out = negative ? (int64_t)(0U - value) : (int64_t)value;
  return 1;
}

const char *c66_json_number(const c66_json *j, const char *p, c66_number *out) {
  const char *start = p;
  const char *whole;
  int negative = *p == '-';
  int real = 0;
  if (negative)
    p++;
  whole = p;
  if (!c66_is_digit(*p))
    return c66_json_unexpected(j, p, negative ? "expected a digit" : "expected a value");
  p = digits(p);
  if (*whole == '0' && p - whole > 1)
    return c66_json_fail(j, whole, "a number must not start with 0");
  if (out != NULL)
    out->kind =
        to_integer(whole, p, negative, &out->integer) ? C66_NUMBER_INTEGER : C66_NUMBER_BIG_INTEGER;
  if (*p == '.') {
    real = 1;
    if (!c66_is_digit(*++p))
      return c66_json_unexpected(j, p, "expected a digit after the decimal point");
    p = digits(p);
  }
  if (*p == 'e' || *p == 'E') {
    real = 1;
    p++;
    if (*p == '+' || *p == '-')
      p++;
    if (!c66_is_digit(*p))
      return c66_json_unexpected(j, p, "expected a digit in the exponent");
    p = digits(p);
  }
  if (out != NULL) {
    if (real)
      out->kind = C66_NUMBER_REAL;
    out->start = start;
    out->length = (size_t)(p - start);
  }
  return p;
}

/* localeconv() would do, but writes to memory that all threads share. */
static const char *decimal_point(void) {
#if defined(_WIN32)
  return localeconv()->decimal_point;
#else
  return nl_langinfo(RADIXCHAR);
#endif
}

/* strtod wants a zero at the end, and the decimal point of the locale in force, which may have
 * several bytes. */
int c66_json_real(const char *text, size_t length, char *scratch, double *out) {
  const char *point = memchr(text, '.', length);
  size_t before = point != NULL ? (size_t)(point - text) : length;
  char *at = scratch;
  memcpy(at, text, before);
  at += before;
  if (point != NULL) {
    const char *local = decimal_point();
    size_t n = strlen(local);
    if (n > C66_JSON_POINT)
      return 0;
    memcpy(at, local, n);
    memcpy(at + n, point + 1, length - before - 1);
    at += n + length - before - 1;
  }
  *at = '\0';
  *out = strtod(scratch, NULL);
  return *out >= -DBL_MAX && *out <= DBL_MAX;
}
