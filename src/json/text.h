/* text.h - JSON strings: escapes and UTF-8, checked, unescaped and compared. No allocation. */
#ifndef C66_TEXT_H
#define C66_TEXT_H

#include "json/input.h"

C66_BEGIN_DECLS

/* A string's content between its quotes, still escaped as it stands in the text. */
typedef struct c66_span {
  const char *start;
  size_t length;
  int escaped; /* holds at least one backslash: unescape before use */
} c66_span;

/* How many bytes of the text, from its start, are well-formed UTF-8: `length` where all are. */
size_t c66_utf8_run(const char *text, size_t length);

/* Reads a string; `p` is behind the opening quote. `out` may be NULL. */
const char *c66_json_string(const c66_json *j, const char *p, c66_span *out);

/* Unescapes a checked span into `out`, which takes span->length bytes. Returns the bytes written. */
size_t c66_json_unescape(const c66_span *span, char *out);

/* The same with ASCII letters in lower case. */
size_t c66_json_unescape_lower(const c66_span *span, char *out);

/* Whether a checked span says exactly `word`. */
int c66_json_equals(const c66_span *span, const char *word, size_t length);

C66_END_DECLS

#endif
