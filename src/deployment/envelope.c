/* envelope.c - what stands around deployments, and the page as one block of memory.
 *
 * Accepted: {"response": [...], "pagination": {...}}, {"response": {...}}, [...] and {...}. */
#include "deployment/decoder.h"

#include <string.h>

enum {
  KEEP = 1 << 16, /* bytes of scratch kept between pages; 30 deployments need 3.4 kB */
  MAX_LENGTH = 0x7FFFFFFF - 64 * 1024 /* bytes of text: lengths have 31 bits, offsets 32 */
};

/* --- scratch memory --- */

void c66_decoder_init(c66_decoder *d) {
  memset(d, 0, sizeof *d);
  c66_buffer_init(&d->records, SIZE_MAX);
  c66_buffer_init(&d->words, SIZE_MAX);
}

void c66_decoder_trim(c66_decoder *d) {
  c66_buffer_trim(&d->records, KEEP);
  c66_buffer_trim(&d->words, KEEP);
}

void c66_decoder_free(c66_decoder *d) {
  c66_buffer_free(&d->records);
  c66_buffer_free(&d->words);
}

/* --- pagination --- */

/* A whole number, bare or in quotes. Of anything else *out stays C66_NO_NUMBER. */
static const char *read_count(const c66_json *j, const char *p, int64_t *out) {
  const char *digits = *p == '"' ? p + 1 : p;
  const char *end;
  int64_t value;
  *out = C66_NO_NUMBER;
  p = c66_json_skip(j, p, 2);
  if (p != NULL && c66_json_short_integer(digits, &end, &value) && end == p - (p[-1] == '"'))
    *out = value;
  return p;
}

static const char *read_next(const c66_json *j, const char *p, int64_t *out) {
  const char *start = p;
  p = read_count(j, p, out);
  if (p != NULL && *out == C66_NO_NUMBER && *start != 'n') /* read as "none" it would hide pages */
    return c66_json_fail(j, start, "'pagination.next' is not a page number");
  return p;
}

static const c66_pagination no_pagination = {C66_NO_NUMBER, C66_NO_NUMBER, C66_NO_NUMBER,
                                             C66_NO_NUMBER, C66_NO_NUMBER};

static const char *read_pagination(const c66_json *j, const char *p, c66_pagination *at) {
  c66_span key;
  if (*p == 'n')
    return c66_json_literal(j, p);
  if (*p != '{')
    return c66_json_unexpected(j, p, "'pagination' is not an object");
  for (p = c66_json_member(j, p, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    if (c66_json_equals(&key, "next", 4))
      p = read_next(j, p, &at->next);
    else if (c66_json_equals(&key, "current", 7))
      p = read_count(j, p, &at->current);
    else if (c66_json_equals(&key, "previous", 8) || c66_json_equals(&key, "prev", 4))
      p = read_count(j, p, &at->previous);
    else if (c66_json_equals(&key, "pages", 5))
      p = read_count(j, p, &at->pages);
    else if (c66_json_equals(&key, "count", 5))
      p = read_count(j, p, &at->total);
    else
      p = c66_json_skip(j, p, 2);
    if (p == NULL)
      return NULL;
  }
  return p;
}

/* --- envelopes --- */

static void forget_page(c66_decoder *d) {
  d->records.len = 0;
  d->words.len = 0;
  d->misses = 0;
  d->page++;
  d->pagination = no_pagination;
  d->depth = 0;
}

static const char *read_list(c66_decoder *d, const char *p) {
  int more;
  d->depth++;
  for (p = c66_json_element(&d->json, p, 1, &more); p != NULL && more;
       p = c66_json_element(&d->json, p, 0, &more)) {
    p = c66_read_deployment(d, p);
    if (p == NULL)
      return NULL;
  }
  d->depth--;
  return p;
}

static const char *read_response(c66_decoder *d, const char *p) {
  d->records.len = 0; /* of a key given twice the last one counts */
  d->depth = 1;
  if (*p == '[')
    return read_list(d, p);
  if (*p == '{')
    return c66_read_deployment(d, p);
  return c66_json_unexpected(&d->json, p, "'response' is neither a list nor an object");
}

/* An object with a `response` is an envelope, any other is a deployment itself. */
static const char *read_object(c66_decoder *d, const char *p) {
  const c66_json *j = &d->json;
  const char *start = p;
  const char *pagination = NULL;
  int enveloped = 0;
  c66_span key;
  for (p = c66_json_member(j, p, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    if (c66_json_equals(&key, "response", 8)) {
      enveloped = 1;
      p = read_response(d, p);
    } else {
      if (c66_json_equals(&key, "pagination", 10))
        pagination = p;
      p = c66_json_skip(j, p, 1);
    }
    if (p == NULL)
      return NULL;
  }
  if (p == NULL)
    return NULL;
  if (enveloped)
    return pagination == NULL || read_pagination(j, pagination, &d->pagination) != NULL ? p : NULL;
  forget_page(d);
  return c66_read_deployment(d, start);
}

static const char *read_document(c66_decoder *d, const char *p) {
  p = c66_json_space(p);
  if (*p == '{')
    p = read_object(d, p);
  else if (*p == '[')
    p = read_list(d, p);
  else
    return c66_json_unexpected(&d->json, p, "expected JSON: an object or an array");
  return p == NULL ? NULL : c66_json_end(&d->json, p);
}

c66_status c66_decode(c66_decoder *d, const char *text, size_t length, c66_error *error) {
  c66_json_init(&d->json, text, length, error);
  forget_page(d);
  if (length > MAX_LENGTH) {
    (void)c66_json_fail(&d->json, text, "a text of 2 GiB or more");
    error->kind = "too_large";
    return C66_FAIL;
  }
  return read_document(d, text) != NULL ? C66_OK : C66_FAIL;
}

/* --- the block --- */

size_t c66_page_size(const c66_decoder *d) {
  return sizeof(c66_page) + d->records.len + d->words.len;
}

c66_page *c66_page_build(const c66_decoder *d, void *memory) {
  c66_page *page = memory;
  char *at = (char *)memory + sizeof *page;
  page->records = (const c66_record *)(void *)at;
  page->count = (uint32_t)(d->records.len / sizeof(c66_record));
  if (d->records.len > 0)
    memcpy(at, d->records.data, d->records.len);
  at += d->records.len;
  page->words = (const c66_word *)(void *)at;
  if (d->words.len > 0)
    memcpy(at, d->words.data, d->words.len);
  page->body = d->json.text;
  page->length = (size_t)(d->json.end - d->json.text);
  page->pagination = d->pagination;
  return page;
}
