/* json.c - strict RFC 8259 and UTF-8 reading. No Lua, no allocation. */
#include "json/json.h"
#include "json/scan.h"

#include <float.h>
#if defined(_WIN32)
#include <locale.h>
#else
#include <langinfo.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors --- */

void c66_json_init(c66_json *j, const char *text, size_t length, c66_error *error) {
  j->text = text;
  j->end = text + length;
  j->error = error;
  error->kind = NULL;
}

const char *c66_json_fail(const c66_json *j, const char *p, const char *message) {
  c66_error *e = j->error;
  if (e->kind == NULL) {
    e->kind = "decode";
    e->offset = (size_t)(p - j->text);
    (void)snprintf(e->message, sizeof e->message, "%s", message);
  }
  return NULL;
}

const char *c66_json_unexpected(const c66_json *j, const char *p, const char *expected) {
  if (p >= j->end)
    return c66_json_fail(j, p, "the text ends too early");
  if (*p == '\0')
    return c66_json_fail(j, p, "NUL byte outside of a string");
  return c66_json_fail(j, p, expected);
}

/* --- white space and literals --- */

const char *c66_json_space_slow(const char *p) {
  while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
    p++;
  return p;
}

const char *c66_json_literal(const c66_json *j, const char *p) {
  size_t left = (size_t)(j->end - p);
  if (left >= 4 && memcmp(p, "true", 4) == 0)
    return p + 4;
  if (left >= 4 && memcmp(p, "null", 4) == 0)
    return p + 4;
  if (left >= 5 && memcmp(p, "false", 5) == 0)
    return p + 5;
  return c66_json_unexpected(j, p, "expected a value");
}

const char *c66_json_colon(const c66_json *j, const char *p) {
  p = c66_json_space(p);
  if (*p != ':')
    return c66_json_unexpected(j, p, "expected ':' after a key");
  return c66_json_space(p + 1);
}

/* --- strings --- */

static int is_tail(char c) { return ((unsigned char)c & 0xC0U) == 0x80U; }

/* Length of the well-formed UTF-8 sequence at `p` (a byte from 0x80 on), or 0. The zero at the end
 * is no tail. */
static size_t utf8_length(const char *p) {
  unsigned char first = (unsigned char)p[0];
  unsigned char second;
  if (first < 0xC2 || first > 0xF4)
    return 0;
  second = (unsigned char)p[1];
  if (!is_tail(p[1]))
    return 0;
  if (first < 0xE0)
    return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F))
    return 0; /* overlong, surrogate */
  if (!is_tail(p[2]))
    return 0;
  if (first < 0xF0)
    return 3;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
    return 0; /* overlong, beyond U+10FFFF */
  return is_tail(p[3]) ? 4 : 0;
}

/* The value of four hex digits, or -1. */
static int hex4(const char *p) {
  int value = 0;
  int i;
  for (i = 0; i < 4; i++) {
    char c = p[i];
    int digit;
    if (c >= '0' && c <= '9')
      digit = c - '0';
    else if (c >= 'a' && c <= 'f')
      digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      digit = c - 'A' + 10;
    else
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* Checks the escape whose backslash is at `p`. */
static const char *check_escape(const c66_json *j, const char *p) {
  int unit;
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return c66_json_unexpected(j, p + 1, "unknown escape in a string");
  }
  unit = hex4(p + 2);
  if (unit < 0)
    return c66_json_fail(j, p, "\\u needs four hex digits");
  if (unit < 0xD800 || unit > 0xDFFF)
    return p + 6;
  if (unit <= 0xDBFF && p[6] == '\\' && p[7] == 'u') {
    int low = hex4(p + 8);
    if (low >= 0xDC00 && low <= 0xDFFF)
      return p + 12;
  }
  return c66_json_fail(j, p, "lone surrogate in a string");
}

const char *c66_json_string(const c66_json *j, const char *p, c66_span *out) {
  const char *start = p;
  int escaped = 0;
  for (;;) {
    p = c66_plain_run(p, j->end);
    if (*p == '"')
      break;
    if (*p == '\\') {
      escaped = 1;
      p = check_escape(j, p);
      if (p == NULL)
        return NULL;
    } else if ((unsigned char)*p >= 0x80) {
      size_t n = utf8_length(p);
      if (n == 0)
        return c66_json_fail(j, p, "invalid UTF-8 in a string");
      p += n;
    } else if (p >= j->end) {
      return c66_json_fail(j, p, "the text ends inside a string");
    } else {
      return c66_json_fail(j, p, "control character in a string");
    }
  }
  if (out != NULL) {
    out->start = start;
    out->length = (size_t)(p - start);
    out->escaped = escaped;
  }
  return p + 1;
}

static char *put_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xC0U | (code >> 6));
    *out++ = (char)(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    *out++ = (char)(0xE0U | (code >> 12));
    *out++ = (char)(0x80U | ((code >> 6) & 0x3FU));
    *out++ = (char)(0x80U | (code & 0x3FU));
  } else {
    *out++ = (char)(0xF0U | (code >> 18));
    *out++ = (char)(0x80U | ((code >> 12) & 0x3FU));
    *out++ = (char)(0x80U | ((code >> 6) & 0x3FU));
    *out++ = (char)(0x80U | (code & 0x3FU));
  }
  return out;
}

/* Unescapes the checked escape at *p, and moves *p behind it. */
static char *put_escape(const char **p, char *out) {
  const char *at = *p;
  unsigned code;
  *p = at + 2;
  switch (at[1]) {
  case 'b':
    *out = '\b';
    return out + 1;
  case 'f':
    *out = '\f';
    return out + 1;
  case 'n':
    *out = '\n';
    return out + 1;
  case 'r':
    *out = '\r';
    return out + 1;
  case 't':
    *out = '\t';
    return out + 1;
  case 'u':
    break;
  default: /* quote, backslash, slash */
    *out = at[1];
    return out + 1;
  }
  code = (unsigned)hex4(at + 2);
  *p = at + 6;
  if (code >= 0xD800 && code <= 0xDBFF) {
    code = 0x10000U + ((code - 0xD800U) << 10) + ((unsigned)hex4(at + 8) - 0xDC00U);
    *p = at + 12;
  }
  return put_utf8(out, code);
}

size_t c66_json_unescape(const c66_span *span, char *out) {
  const char *p = span->start;
  const char *end = p + span->length;
  char *start = out;
  while (p < end) {
    const char *backslash = memchr(p, '\\', (size_t)(end - p));
    size_t run = (size_t)((backslash != NULL ? backslash : end) - p);
    memcpy(out, p, run);
    out += run;
    p += run;
    if (backslash != NULL)
      out = put_escape(&p, out);
  }
  return (size_t)(out - start);
}

int c66_json_equals(const c66_span *span, const char *word, size_t length) {
  const char *p = span->start;
  const char *end = p + span->length;
  const char *word_end = word + length;
  if (!span->escaped)
    return span->length == length && memcmp(p, word, length) == 0;
  while (p < end) {
    char plain[4];
    size_t n = 1;
    if (*p == '\\')
      n = (size_t)(put_escape(&p, plain) - plain);
    else
      plain[0] = *p++;
    if ((size_t)(word_end - word) < n || memcmp(word, plain, n) != 0)
      return 0;
    word += n;
  }
  return word == word_end;
}

/* --- numbers --- */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *digits(const char *p) {
  while (is_digit(*p))
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
  if (!is_digit(*p))
    return c66_json_unexpected(j, p, negative ? "expected a digit" : "expected a value");
  p = digits(p);
  if (*whole == '0' && p - whole > 1)
    return c66_json_fail(j, whole, "a number must not start with 0");
  if (out != NULL)
    out->kind =
        to_integer(whole, p, negative, &out->integer) ? C66_NUMBER_INTEGER : C66_NUMBER_BIG_INTEGER;
  if (*p == '.') {
    real = 1;
    if (!is_digit(*++p))
      return c66_json_unexpected(j, p, "expected a digit after the decimal point");
    p = digits(p);
  }
  if (*p == 'e' || *p == 'E') {
    real = 1;
    p++;
    if (*p == '+' || *p == '-')
      p++;
    if (!is_digit(*p))
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

/* --- whole values --- */

const char *c66_json_type(char first) {
  switch (first) {
  case '{':
    return "object";
  case '[':
    return "array";
  case '"':
    return "string";
  case 't':
  case 'f':
    return "boolean";
  case 'n':
    return "null";
  default:
    return "number";
  }
}

/* Which of the open containers are objects: one bit each, so that nesting costs no C stack. */
typedef struct nesting {
  unsigned char object[C66_JSON_DEPTH / 8];
  int depth;
} nesting;

static int is_object(const nesting *n) {
  int top = n->depth - 1;
  return (n->object[top / 8] >> (top % 8)) & 1;
}

static void open_container(nesting *n, int object) {
  unsigned char bit = (unsigned char)(1U << (n->depth % 8));
  unsigned char *slot = &n->object[n->depth / 8];
  *slot = (unsigned char)(object ? *slot | bit : *slot & ~bit);
  n->depth++;
}

static const char *read_key(const c66_json *j, const char *p) {
  if (*p != '"')
    return c66_json_unexpected(j, p, "expected a key in quotes");
  p = c66_json_string(j, p + 1, NULL);
  return p == NULL ? NULL : c66_json_colon(j, p);
}

/* Closes containers and passes commas behind a value, up to the next value or the end of the
 * outermost one. */
static const char *after_value(const c66_json *j, const char *p, nesting *n) {
  while (n->depth > 0) {
    int object = is_object(n);
    p = c66_json_space(p);
    if (*p == ',') {
      p = c66_json_space(p + 1);
      return object ? read_key(j, p) : p;
    }
    if (*p != (object ? '}' : ']'))
      return c66_json_unexpected(j, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
    p++;
    n->depth--;
  }
  return p;
}

const char *c66_json_skip(const c66_json *j, const char *p, int depth) {
  nesting n;
  n.depth = 0;
  n.object[0] = 0;
  do {
    if (*p == '{' || *p == '[') {
      int object = *p == '{';
      if (depth + n.depth >= C66_JSON_DEPTH)
        return c66_json_fail(j, p, "nested deeper than 512 levels");
      open_container(&n, object);
      p = c66_json_space(p + 1);
      if (*p != (object ? '}' : ']')) {
        if (object)
          p = read_key(j, p);
        if (p == NULL)
          return NULL;
        continue; /* the first value inside */
      }
    } else if (*p == '"') {
      p = c66_json_string(j, p + 1, NULL);
    } else if (*p == '-' || is_digit(*p)) {
      p = c66_json_number(j, p, NULL);
    } else {
      p = c66_json_literal(j, p);
    }
    if (p != NULL)
      p = after_value(j, p, &n);
    if (p == NULL)
      return NULL;
  } while (n.depth > 0);
  return p;
}

/* --- stepping through containers --- */

const char *c66_json_member(const c66_json *j, const char *p, int first, c66_span *key) {
  key->start = NULL;
  p = c66_json_space(first ? p + 1 : p);
  if (*p == '}')
    return p + 1;
  if (!first) {
    if (*p != ',')
      return c66_json_unexpected(j, p, "expected ',' or '}'");
    p = c66_json_space(p + 1);
  }
  if (*p != '"')
    return c66_json_unexpected(j, p, "expected a key in quotes");
  p = c66_json_string(j, p + 1, key);
  return p == NULL ? NULL : c66_json_colon(j, p);
}

const char *c66_json_element(const c66_json *j, const char *p, int first, int *more) {
  *more = 0;
  p = c66_json_space(first ? p + 1 : p);
  if (*p == ']')
    return p + 1;
  if (!first) {
    if (*p != ',')
      return c66_json_unexpected(j, p, "expected ',' or ']'");
    p = c66_json_space(p + 1);
  }
  *more = 1;
  return p;
}
