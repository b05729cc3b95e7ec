/* word.c - {"code": ..., "meaning": ...}, or a bare "...", to a word of a page.
 *
 * The API sends the machine word in `meaning` beside an integer code, or in `code` beside a display
 * text. So: a code that is a text and not a number is the word, otherwise the meaning is; a bare
 * string is a word. */
#include "deployment/word.h"
#include "base/ascii.h"

#include <string.h>

typedef struct parts {
  c66_span code;
  c66_span meaning;
  int code_is_number;
  int meaning_is_number;
  int is_bare; /* a text instead of the object; it stands in `code` */
} parts;

enum { LONGEST_WORD = 31, LONGEST_ESCAPED = 6 * LONGEST_WORD }; /* bytes; \uXXXX has six */

/* A text as a word in lower case. 0 when it is too long for any word the API documents. */
static size_t to_lower(const c66_span *text, char out[LONGEST_ESCAPED]) {
  return text->length <= LONGEST_ESCAPED ? c66_json_unescape_lower(text, out) : 0;
}

/* A number, or empty: no word in either case. */
static int is_number_text(const c66_span *text) {
  char plain[LONGEST_ESCAPED];
  size_t n = to_lower(text, plain);
  size_t i;
  for (i = (n > 1 && plain[0] == '-') ? 1 : 0; i < n; i++)
    if (plain[i] != '.' && !c66_is_digit(plain[i]))
      return 0;
  return text->length <= sizeof plain;
}

/* Which documented word the span says, whatever its case, or -1. */
static int find_known(const c66_span *span, const char *const *words) {
  char lower[LONGEST_ESCAPED];
  size_t n = to_lower(span, lower);
  int k;
  for (k = 0; words[k] != NULL; k++)
    if (strlen(words[k]) == n && memcmp(words[k], lower, n) == 0)
      return k;
  return -1;
}

/* Reads a code or a meaning. Of what is neither text nor number, span->start stays NULL. */
static const char *read_part(const c66_json *j, const char *p, int depth, c66_span *text,
                             int *is_number) {
  const char *start = p;
  *is_number = *p == '-' || c66_is_digit(*p);
  text->start = NULL;
  if (*p == '"')
    return c66_json_string(j, p + 1, text);
  p = c66_json_skip(j, p, depth);
  if (p != NULL && *is_number) {
    text->start = start;
    text->length = (size_t)(p - start);
    text->escaped = 0;
  }
  return p;
}

static const char *read_object(const c66_json *j, const char *p, int depth, parts *out) {
  c66_span key;
  for (p = c66_json_member(j, p, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    if (c66_json_equals(&key, "code", 4))
      p = read_part(j, p, depth, &out->code, &out->code_is_number);
    else if (c66_json_equals(&key, "meaning", 7))
      p = read_part(j, p, depth, &out->meaning, &out->meaning_is_number);
    else
      p = c66_json_skip(j, p, depth);
    if (p == NULL)
      return NULL;
  }
  return p;
}

static c66_ref ref_of(const c66_json *j, const c66_span *span) {
  c66_ref ref = {0, 0};
  if (span->start == NULL)
    return ref;
  ref.offset = (uint32_t)(span->start - j->text);
  ref.length = (uint32_t)span->length;
  if (span->escaped)
    ref.length |= C66_ESCAPED;
  return ref;
}

/* Fills in a list entry, and says which of the two parts is the word. */
static void make_word(const c66_json *j, parts *from, const c66_field *f, c66_word *w) {
  const c66_span *code = &from->code;
  const c66_span *meaning = &from->meaning;
  if (from->meaning_is_number)
    from->meaning.start = NULL;
  w->code = ref_of(j, code);
  w->meaning = ref_of(j, meaning);
  w->code_is_number = (uint8_t)from->code_is_number;
  w->slot = f->slot;
  w->known = -1;
  w->source = C66_NO_WORD;
  if (from->is_bare && code->length > 0)
    w->source = C66_WORD_IS_BARE;
  else if (from->is_bare)
    w->code.offset = 0;
  else if (code->start != NULL && !from->code_is_number && !is_number_text(code))
    w->source = C66_WORD_IS_CODE;
  else if (meaning->start != NULL && meaning->length > 0)
    w->source = C66_WORD_IS_MEANING;
  if (w->source != C66_NO_WORD)
    w->known = (int8_t)find_known(w->source == C66_WORD_IS_MEANING ? meaning : code, f->words);
}

const char *c66_parse_word(const c66_json *j, const char *p, int depth, const c66_field *f,
                           c66_word *w) {
  const char *start = p;
  parts found;
  memset(&found, 0, sizeof found);
  memset(w, 0, sizeof *w);
  found.is_bare = *p == '"';
  if (found.is_bare)
    p = c66_json_string(j, p + 1, &found.code);
  else
    p = read_object(j, p, depth + 1, &found);
  if (p == NULL)
    return NULL;
  w->raw.offset = (uint32_t)(start - j->text);
  w->raw.length = (uint32_t)(p - start);
  make_word(j, &found, f, w);
  return p;
}
