/*
 * word.c - floor 2: reading {"code": ..., "meaning": ...}, or a bare "...", into a page's list of
 * words.
 *
 * The API sends the machine word in `meaning` beside an integer code, or in `code` beside a display
 * text. So: a code that is a text and not a number is the word, otherwise the meaning is; a bare
 * string is a word.
 */
#include "decoder.h"

#include <string.h>

typedef struct parts {
  c66_span code;
  c66_span meaning;
  int code_is_number;
  int meaning_is_number;
} parts;

/* Digits only, or nothing at all: no word in either case. */
static int is_number_text(const c66_span *text) {
  size_t i;
  for (i = 0; i < text->length; i++)
    if (text->start[i] < '0' || text->start[i] > '9')
      return 0;
  return 1;
}

/* Which documented word the span says, whatever its case, or -1. */
static int find_known(const c66_span *span, const char *const *words) {
  char lower[32];
  size_t n;
  size_t i;
  int k;
  if (span->length >= sizeof lower)
    return -1;
  n = c66_json_unescape(span, lower);
  for (i = 0; i < n; i++)
    if (lower[i] >= 'A' && lower[i] <= 'Z')
      lower[i] = (char)(lower[i] + ('a' - 'A'));
  for (k = 0; words[k] != NULL; k++)
    if (strlen(words[k]) == n && memcmp(words[k], lower, n) == 0)
      return k;
  return -1;
}

/* Reads a code or a meaning. Of what is neither text nor number, span->start stays NULL. */
static const char *read_part(const c66_decoder *d, const char *p, c66_span *text, int *is_number) {
  const char *start = p;
  *is_number = *p == '-' || (*p >= '0' && *p <= '9');
  text->start = NULL;
  if (*p == '"')
    return c66_json_string(&d->json, p + 1, text);
  p = c66_json_skip(&d->json, p, d->depth + 2);
  if (p != NULL && *is_number) {
    text->start = start;
    text->length = (size_t)(p - start);
    text->escaped = 0;
  }
  return p;
}

static const char *read_object(const c66_decoder *d, const char *p, parts *out) {
  const c66_json *j = &d->json;
  c66_span key;
  for (p = c66_json_member(j, p, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    if (c66_json_equals(&key, "code", 4))
      p = read_part(d, p, &out->code, &out->code_is_number);
    else if (c66_json_equals(&key, "meaning", 7))
      p = read_part(d, p, &out->meaning, &out->meaning_is_number);
    else
      p = c66_json_skip(j, p, d->depth + 2);
    if (p == NULL)
      return NULL;
  }
  return p;
}

/* Fills in a list entry. 0 when neither part can be the word. */
static int make_word(const c66_decoder *d, const parts *from, const c66_field *f, c66_word *w) {
  const c66_span *code = &from->code;
  const c66_span *meaning = &from->meaning;
  int has_meaning = meaning->start != NULL && !from->meaning_is_number;
  w->code = code->start != NULL ? c66_span_ref(d, code) : c66_no_ref(C66_ABSENT);
  w->meaning = has_meaning ? c66_span_ref(d, meaning) : c66_no_ref(C66_ABSENT);
  w->code_is_number = (uint8_t)from->code_is_number;
  w->word_is_code = code->start != NULL && !from->code_is_number && !is_number_text(code);
  if (!w->word_is_code && (!has_meaning || meaning->length == 0))
    return 0;
  w->known = (int8_t)find_known(w->word_is_code ? code : meaning, f->words);
  return 1;
}

static c66_word *word_list(const c66_decoder *d) { return (c66_word *)(void *)d->words.data; }

/* Whether a word of this slot seen lately stands at `p` again, byte for byte. Returns behind it, or
 * NULL. */
static const char *read_known(const c66_decoder *d, const char *p, unsigned slot, uint32_t *out) {
  const uint32_t *recent = d->recent[slot];
  size_t left = (size_t)(d->json.end - p);
  int i;
  for (i = 0; i < C66_RECENT_WORDS && recent[i] != 0; i++) {
    const c66_ref *raw = &word_list(d)[recent[i] - C66_FIRST_WORD].raw;
    if (left >= raw->length && memcmp(p, d->json.text + raw->offset, raw->length) == 0) {
      *out = recent[i];
      return p + raw->length;
    }
  }
  return NULL;
}

static const char *append(c66_decoder *d, const c66_word *w, unsigned slot, const char *p,
                          uint32_t *out) {
  uint32_t *recent = d->recent[slot];
  *out = (uint32_t)(C66_FIRST_WORD + d->words.len / sizeof *w);
  if (c66_buffer_append(&d->words, w, sizeof *w) != C66_ROOM_OK)
    return c66_out_of_memory(d);
  memmove(recent + 1, recent, (C66_RECENT_WORDS - 1) * sizeof *recent);
  recent[0] = *out;
  return p;
}

const char *c66_read_word(c66_decoder *d, const char *p, const c66_field *f, uint32_t *out) {
  const char *start = p;
  parts found;
  c66_word word;
  if (*p != '{' && *p != '"') {
    *out = *p == 'n' ? C66_NULL : C66_DRIFT;
    return c66_json_skip(&d->json, p, d->depth + 1);
  }
  p = read_known(d, start, f->slot, out);
  if (p != NULL)
    return p;
  memset(&found, 0, sizeof found);
  if (*start == '"')
    p = c66_json_string(&d->json, start + 1, &found.code);
  else
    p = read_object(d, start, &found);
  if (p == NULL)
    return NULL;
  memset(&word, 0, sizeof word);
  word.raw = c66_make_ref(d, start, (size_t)(p - start));
  if (make_word(d, &found, f, &word))
    return append(d, &word, f->slot, p, out);
  *out = C66_DRIFT;
  return p;
}
