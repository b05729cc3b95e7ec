/*
 * json.h - strict RFC 8259 and UTF-8 reading of a text in memory. No Lua, no allocation.
 *
 * Every reader takes a position, returns the position after what it read, or NULL with the error
 * filled in. The text must be followed by one readable zero byte (as every Lua string is): it stops
 * each scan, so that nothing but block loads has to compare against the end.
 */
#ifndef C66_JSON_H
#define C66_JSON_H

#include "base/base.h"

C66_BEGIN_DECLS

enum { C66_JSON_DEPTH = 512 }; /* arrays and objects open at the same time */

typedef struct c66_json {
  const char *text;
  const char *end; /* text + length; *end == 0 */
  c66_error *error;
} c66_json;

/* A string's content between its quotes, still escaped as it stands in the text. */
typedef struct c66_span {
  const char *start;
  size_t length;
  int escaped; /* holds at least one backslash: unescape before use */
} c66_span;

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

void c66_json_init(c66_json *j, const char *text, size_t length, c66_error *error);

/* Records `message` (static text) at `p`, unless an error is recorded already. Always returns NULL.
 */
const char *c66_json_fail(const c66_json *j, const char *p, const char *message);

/* The same for a byte that fits nowhere: says so of the end of the text, of a NUL byte, or
 * `expected`. */
const char *c66_json_unexpected(const c66_json *j, const char *p, const char *expected);

const char *c66_json_space_slow(const char *p);

/* Skips white space; never fails. */
static inline const char *c66_json_space(const char *p) {
  return C66_LIKELY((unsigned char)*p > ' ') ? p : c66_json_space_slow(p);
}

/* Reads a string; `p` is behind the opening quote. `out` may be NULL. */
const char *c66_json_string(const c66_json *j, const char *p, c66_span *out);

/* Reads a number. `out` may be NULL. */
const char *c66_json_number(const c66_json *j, const char *p, c66_number *out);

/* Reads `true`, `false` or `null`, whichever `p` starts with. */
const char *c66_json_literal(const c66_json *j, const char *p);

/* From behind a key's closing quote to the first byte of its value. */
const char *c66_json_colon(const c66_json *j, const char *p);

/* Reads any value whole and checks it; `depth` counts the arrays and objects already open around
 * it. */
const char *c66_json_skip(const c66_json *j, const char *p, int depth);

/*
 * Steps through an object: from its opening brace (`first`), or from behind a value, to the next
 * value and its key; or behind the closing brace, with key->start NULL.
 */
const char *c66_json_member(const c66_json *j, const char *p, int first, c66_span *key);

/* Steps through an array in the same way; *more tells whether there is an element. */
const char *c66_json_element(const c66_json *j, const char *p, int first, int *more);

/* Unescapes a checked span into `out`, which has room for span->length bytes. Returns the bytes
 * written. */
size_t c66_json_unescape(const c66_span *span, char *out);

/* Whether a checked span says exactly `word`. */
int c66_json_equals(const c66_span *span, const char *word, size_t length);

/*
 * The double a checked number's text stands for, whatever the locale; 0 when no double comes near
 * it. `scratch` has room for length + C66_JSON_POINT + 1 bytes.
 */
enum { C66_JSON_POINT = 8 };
int c66_json_real(const char *text, size_t length, char *scratch, double *out);

/* "object", "array", "string", "number", "boolean" or "null", by a checked value's first byte. */
const char *c66_json_type(char first);

C66_END_DECLS

#endif
