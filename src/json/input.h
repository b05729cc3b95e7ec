/* input.h - a JSON text being read, and its first error.
 *
 * Every reader of this folder takes a position, returns the position after what it read, or NULL
 * with the error filled in. The text must be followed by one readable zero byte (as every Lua string
 * is): it stops each scan, so that nothing but block loads has to compare against the end. */
#ifndef C66_INPUT_H
#define C66_INPUT_H

#include "base/base.h"

C66_BEGIN_DECLS

typedef struct c66_json {
  const char *text;
  const char *end; /* text + length; *end == 0 */
  c66_error *error;
} c66_json;

void c66_json_init(c66_json *j, const char *text, size_t length, c66_error *error);

/* Records `message` (static text) at `p`, unless an error is recorded already. Always returns NULL.
 */
const char *c66_json_fail(const c66_json *j, const char *p, const char *message);

/* The same for a byte that fits nowhere: says so of the end of the text, of a NUL byte, or
 * `expected`. */
const char *c66_json_unexpected(const c66_json *j, const char *p, const char *expected);

/* Skips white space; never fails. */
static inline const char *c66_json_space(const char *p) {
  if (C66_UNLIKELY((unsigned char)*p <= ' '))
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
      p++;
  return p;
}

C66_END_DECLS

#endif
