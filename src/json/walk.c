/* walk.c - values of strict RFC 8259: skipped whole, or stepped through. */
#include "json/walk.h"
#include "base/ascii.h"

#include <string.h>

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

const char *c66_json_end(const c66_json *j, const char *p) {
  p = c66_json_space(p);
  return p == j->end ? p : c66_json_unexpected(j, p, "something follows the end of the JSON text");
}

const char *c66_json_too_deep(const c66_json *j, const char *p) {
  return c66_json_fail(j, p, "nested deeper than 512 levels");
}

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

static const char *read_colon(const c66_json *j, const char *p) {
  p = c66_json_space(p);
  if (*p != ':')
    return c66_json_unexpected(j, p, "expected ':' after a key");
  return c66_json_space(p + 1);
}

/* From a key to its value. `key` may be NULL. */
static const char *read_key(const c66_json *j, const char *p, c66_span *key) {
  if (*p != '"')
    return c66_json_unexpected(j, p, "expected a key in quotes");
  p = c66_json_string(j, p + 1, key);
  return p == NULL ? NULL : read_colon(j, p);
}

static char closing(int object) { return object ? '}' : ']'; }

static const char *not_closed(const c66_json *j, const char *p, int object) {
  return c66_json_unexpected(j, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
}

/* --- a value whole --- */

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

/* Closes containers and passes commas behind a value, up to the next value or the end of the
 * outermost one. */
static const char *after_value(const c66_json *j, const char *p, nesting *n) {
  while (n->depth > 0) {
    int object = is_object(n);
    p = c66_json_space(p);
    if (*p == ',') {
      p = c66_json_space(p + 1);
      return object ? read_key(j, p, NULL) : p;
    }
    if (*p != closing(object))
      return not_closed(j, p, object);
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
        return c66_json_too_deep(j, p);
      open_container(&n, object);
      p = c66_json_space(p + 1);
      if (*p != closing(object)) {
        if (object)
          p = read_key(j, p, NULL);
        if (p == NULL)
          return NULL;
        continue; /* the first value inside */
      }
    } else if (*p == '"') {
      p = c66_json_string(j, p + 1, NULL);
    } else if (*p == '-' || c66_is_digit(*p)) {
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

/* To the next key or element, with *more set, or behind the closing brace or bracket. */
static inline const char *next_item(const c66_json *j, const char *p, int first, int object,
                                    int *more) {
  *more = 0;
  p = c66_json_space(first ? p + 1 : p);
  if (*p == closing(object))
    return p + 1;
  if (!first) {
    if (*p != ',')
      return not_closed(j, p, object);
    p = c66_json_space(p + 1);
  }
  *more = 1;
  return p;
}

const char *c66_json_member(const c66_json *j, const char *p, int first, c66_span *key) {
  int more;
  key->start = NULL;
  p = next_item(j, p, first, 1, &more);
  return more ? read_key(j, p, key) : p;
}

const char *c66_json_element(const c66_json *j, const char *p, int first, int *more) {
  return next_item(j, p, first, 0, more);
}

const char *c66_json_find(const c66_json *j, const char *object, const char *name, size_t length) {
  const char *found = NULL;
  const char *p;
  c66_span key;
  for (p = c66_json_member(j, object, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    if (c66_json_equals(&key, name, length))
      found = p;
    p = c66_json_skip(j, p, 0);
    if (p == NULL) /* cannot be: the object was read before */
      return NULL;
  }
  return found;
}
