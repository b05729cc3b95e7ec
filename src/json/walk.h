/* walk.h - values of strict RFC 8259: skipped whole, or stepped through. No allocation. */
#ifndef C66_WALK_H
#define C66_WALK_H

#include "json/input.h"
#include "json/number.h"
#include "json/text.h"

C66_BEGIN_DECLS

enum { C66_JSON_DEPTH = 512 }; /* arrays and objects open at the same time */

/* Reads `true`, `false` or `null`, whichever `p` starts with. */
const char *c66_json_literal(const c66_json *j, const char *p);

/* Checks that nothing but white space is left. */
const char *c66_json_end(const c66_json *j, const char *p);

/* Fails: the array or object at `p` would be the 513th open one. */
const char *c66_json_too_deep(const c66_json *j, const char *p);

/* "object", "array", "string", "number", "boolean" or "null", by a checked value's first byte. */
const char *c66_json_type(char first);

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

/* The value of a key of the checked object at `object`, the last one of that name; NULL when there
 * is none. */
const char *c66_json_find(const c66_json *j, const char *object, const char *name, size_t length);

C66_END_DECLS

#endif
