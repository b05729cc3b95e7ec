/*
 * word.c - reading {"code": ..., "meaning": ...}, or a bare "...", into a page's list of
 * words.
 *
 * The API sends the machine word in `meaning` beside an integer code, or in `code` beside a display
 * text. So: a code that is a text and not a number is the word, otherwise the meaning is; a bare
 * string is a word.
 */
#include "deployment/decoder.h"
#include "json/scan.h"

#include <string.h>

typedef struct parts {
  c66_span code;
  c66_span meaning;
  int code_is_number;
  int meaning_is_number;
  int is_bare; /* a text in place of the object; it stands in `code` */
} parts;

enum { LONGEST_WORD = 31, LONGEST_ESCAPED = 6 * LONGEST_WORD }; /* bytes; \uXXXX has six */

/* A text as a word in lower case. 0 when it is too long for any word the API documents. */
static size_t to_lower(const c66_span *text, char out[LONGEST_ESCAPED]) {
  size_t n;
  size_t i;
  if (text->length > LONGEST_ESCAPED)
    return 0;
  n = c66_json_unescape(text, out);
  for (i = 0; i < n; i++)
    if (out[i] >= 'A' && out[i] <= 'Z')
      out[i] = (char)(out[i] + ('a' - 'A'));
  return n;
}

/* A number, or nothing at all: no word in either case. */
static int is_number_text(const c66_span *text) {
  char plain[LONGEST_ESCAPED];
  size_t n = to_lower(text, plain);
  size_t i;
  for (i = (n > 1 && plain[0] == '-') ? 1 : 0; i < n; i++)
    if (plain[i] != '.' && (plain[i] < '0' || plain[i] > '9'))
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
  *is_number = *p == '-' || (*p >= '0' && *p <= '9');
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

/* --- the page's list, and the memory of words --- */

/* The places where the bytes at `p` are remembered if they are, or NULL near the end of the text.
 */
static c66_memo *memos_of(c66_decoder *d, const char *p, unsigned slot) {
  size_t at = d->memo_key[slot];
  uint64_t key;
  if ((size_t)(d->json.end - p) < at + sizeof key)
    return NULL;
  memcpy(&key, p + at, sizeof key);
  key *= 0x9E3779B97F4A7C15U; /* 2^64 over the golden ratio: spreads any difference to the top */
  return d->memos[slot][key >> (64 - C66_MEMO_BITS)];
}

static int is_here(const c66_decoder *d, const c66_memo *m, const char *p) {
  return m->word.raw.length != 0 && (size_t)(d->json.end - p) >= m->word.raw.length &&
         c66_same(p, m->bytes, m->word.raw.length);
}

static c66_memo *recall(c66_decoder *d, const char *p, unsigned slot) {
  c66_memo *m = memos_of(d, p, slot);
  int i;
  if (m != NULL)
    for (i = 0; i < C66_MEMO_WAYS; i++)
      if (is_here(d, m + i, p))
        return m + i;
  return NULL;
}

/* Where in a word's bytes those that tell it from others begin: at its first value. */
static unsigned char key_position(const char *start, size_t length) {
  const char *colon = *start == '{' ? memchr(start, ':', length) : NULL;
  size_t at = colon != NULL ? (size_t)(colon - start) + 1 : 0;
  while (start[at] == ' ')
    at++;
  return (unsigned char)(at < 64 ? at : 0);
}

/* The word with its offsets counted from `from` instead of `to`. */
static c66_word moved(const c66_word *w, uint32_t from, uint32_t to) {
  c66_word out = *w;
  out.raw.offset = w->raw.offset - from + to;
  if (w->code.offset != 0)
    out.code.offset = w->code.offset - from + to;
  if (w->meaning.offset != 0)
    out.meaning.offset = w->meaning.offset - from + to;
  return out;
}

static void memorise(c66_decoder *d, const char *start, const c66_word *w, unsigned number) {
  c66_memo *m;
  d->memo_key[w->slot] = key_position(start, w->raw.length);
  m = memos_of(d, start, w->slot);
  if (m == NULL || w->raw.length > sizeof m->bytes)
    return;
  memmove(m + 1, m, (C66_MEMO_WAYS - 1) * sizeof *m); /* the oldest is forgotten */
  memcpy(m->bytes, start, w->raw.length);
  m->word = moved(w, w->raw.offset, 0);
  m->page = d->page;
  m->number = (uint16_t)number;
}

enum { SEARCHED = 64 }; /* words of the list looked through for one that the memory lost */

/* This word's number in the list, where it is put unless it is there; 0 when there is no room for
 * it. */
static unsigned number_of(c66_decoder *d, const c66_word *w) {
  const c66_word *list = (const c66_word *)(void *)d->words.data;
  size_t count = d->words.len / sizeof *w;
  const char *text = d->json.text;
  size_t i;
  for (i = 0; i < count && i < SEARCHED; i++)
    if (list[i].slot == w->slot && list[i].raw.length == w->raw.length &&
        memcmp(text + list[i].raw.offset, text + w->raw.offset, w->raw.length) == 0)
      return (unsigned)(C66_FIRST_WORD + i);
  if (count >= C66_MOST_WORDS || c66_buffer_append(&d->words, w, sizeof *w) != C66_ROOM_OK)
    return 0;
  return (unsigned)(C66_FIRST_WORD + count);
}

/* Without a number the word is read from the body when it is asked for. */
static void set_word(c66_record *r, unsigned slot, unsigned number) {
  if (number == 0)
    r->states |= C66_WIDE;
  r->words[slot] = (uint16_t)number; /* 0 is C66_ABSENT */
}

static const char *read_new(c66_decoder *d, const char *p, const c66_field *f, c66_record *r) {
  const char *start = p;
  c66_word word;
  unsigned number;
  if (*p != '{' && *p != '"') {
    r->words[f->slot] = *p == 'n' ? C66_NULL : C66_DRIFT;
    return c66_json_skip(&d->json, p, d->depth + 1);
  }
  p = c66_parse_word(&d->json, p, d->depth + 1, f, &word);
  if (p == NULL)
    return NULL;
  number = number_of(d, &word);
  set_word(r, f->slot, number);
  if (number != 0)
    memorise(d, start, &word, number);
  return p;
}

/* A word remembered from an earlier page enters this page's list where it first stands in it. */
static void renew(c66_decoder *d, c66_memo *m, const char *p) {
  c66_word word = moved(&m->word, 0, (uint32_t)(p - d->json.text));
  m->number = (uint16_t)number_of(d, &word);
  m->page = m->number != 0 ? d->page : 0;
}

const char *c66_read_word(c66_decoder *d, const char *p, const c66_field *f, c66_record *r) {
  c66_memo *m = recall(d, p, f->slot);
  if (m == NULL)
    return read_new(d, p, f, r);
  if (m->page != d->page)
    renew(d, m, p);
  set_word(r, f->slot, m->number);
  return p + m->word.raw.length;
}
