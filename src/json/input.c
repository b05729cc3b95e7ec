/* input.c - a JSON text being read, and its first error. */
#include "json/input.h"

#include <stdio.h>

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
