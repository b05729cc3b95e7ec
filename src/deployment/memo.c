/* memo.c - the words of a page: its list of distinct ones, and the memory of those seen before.
 *
 * A word whose bytes were seen before is not parsed again. */
#include "base/hash.h"
#include "deployment/decoder.h"
#include "deployment/word.h"
#include "json/scan.h"

#include <string.h>

/* The memos among which the bytes at `p` are if they are remembered, or NULL close to the end of the
 * text. */
static c66_memo *memos_of(c66_decoder *d, const char *p, unsigned slot) {
  size_t at = d->memo_key[slot];
  uint64_t key;
  if ((size_t)(d->json.end - p) < at + sizeof key)
    return NULL;
  memcpy(&key, p + at, sizeof key);
  return d->memos[slot][c66_hash_bits(key, C66_MEMO_BITS)];
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

/* This word's number in the list, where it is put unless it is there; 0 when the list cannot
 * take it. */
static unsigned number_of(c66_decoder *d, const c66_word *w) {
  const c66_word *list = (const c66_word *)(void *)d->words.data;
  size_t count = d->words.len / sizeof *w;
  const char *text = d->json.text;
  size_t i;
  for (i = 0; i < count && i < SEARCHED; i++)
    if (list[i].slot == w->slot && list[i].raw.length == w->raw.length &&
        memcmp(text + list[i].raw.offset, text + w->raw.offset, w->raw.length) == 0)
      return (unsigned)(C66_FIRST_WORD + i);
  if (count >= C66_MOST_WORDS || c66_buffer_append(&d->words, w, sizeof *w) != C66_ALLOC_OK)
    return 0;
  return (unsigned)(C66_FIRST_WORD + count);
}

/* Without a number the word is read from the body when it is asked for. */
static void set_word(c66_record *r, unsigned slot, unsigned number) {
  if (number == 0)
    r->states |= C66_OVERSIZE;
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
