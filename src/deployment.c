/*
 * deployment.c - floor 2: the Deployment model, and JSON to a page of records.
 *
 * The whole idea. A page of the API is one JSON text with up to 30 deployments of 18 keys, and a
 * script looks at a few of them. So decoding builds no objects and copies no strings: it reads the
 * text once, strictly, and writes down for each deployment where its values are.
 *
 *   body {"response":[{"id":107,"git_hash":"5675fcd8...","outcome":{"code":1,"meaning":"success"},
 * ... ^span     ^texts[git_hash]        ^words[outcome] -> page's word list
 *
 *   page    | header | record | record | ... | word | word | ... | body | 0 |      one block of
 * memory
 *
 * A record (112 bytes) holds the id as an integer, four booleans in a few bits, an (offset, length)
 * pair into the body for each text and date, and for each {code, meaning} the number of an entry in
 * the page's list of distinct ones, of which there are a dozen at most. Dates and escapes are only
 * checked as JSON here; record.c turns them into values when somebody asks.
 *
 * Keys come in the same order in each object, so the decoder remembers which field stood at each
 * place last time and compares one name (read_key); in the same way it compares a {code, meaning}
 * with the bytes of those it has seen (word.c) before it reads it properly. Both are guesses
 * checked byte by byte: a wrong guess costs time, never an error.
 *
 * envelope.c finds the list in the body and lays the page out.
 */
#include "decoder.h"

#include <stdio.h>
#include <string.h>

/* --- the model --- */

static const char *const via_words[] = {"web", "api", "hook", NULL};
static const char *const outcome_words[] = {"pending", "success", "failed", NULL};
static const char *const type_words[] = {"build",       "redeploy", "scale",
                                         "first_build", "revert",   NULL};

#define FIELD(name, type, slot, words)                                                             \
  { name, sizeof(name) - 1, type, slot, words }

const c66_field c66_fields[C66_FIELD_COUNT] = {
    FIELD("id", C66_INTEGER, 4, NULL),
    FIELD("triggered_by", C66_TEXT, 0, NULL),
    FIELD("triggered_via", C66_WORD, 0, via_words),
    FIELD("started_at", C66_DATE, 1, NULL),
    FIELD("finished_at", C66_DATE, 2, NULL),
    FIELD("outcome", C66_WORD, 1, outcome_words),
    FIELD("git_hash", C66_TEXT, 3, NULL),
    FIELD("git_ref", C66_TEXT, 4, NULL),
    FIELD("deploy_session", C66_TEXT, 5, NULL),
    FIELD("deploy_type", C66_WORD, 2, type_words),
    FIELD("is_head", C66_BOOLEAN, 0, NULL),
    FIELD("is_live", C66_BOOLEAN, 1, NULL),
    FIELD("reverted", C66_BOOLEAN, 2, NULL),
    FIELD("reverted_by", C66_TEXT, 6, NULL),
    FIELD("reverted_at", C66_DATE, 7, NULL),
    FIELD("is_deploying", C66_BOOLEAN, 3, NULL),
    FIELD("commit_url", C66_TEXT, 8, NULL),
    FIELD("snapshot_uuid", C66_TEXT, 9, NULL),
};

/* --- where a value stands --- */

const char *c66_out_of_memory(const c66_decoder *d) {
  c66_error *e = d->json.error;
  e->kind = "memory";
  (void)snprintf(e->message, sizeof e->message, "not enough memory");
  return NULL;
}

c66_ref c66_make_ref(const c66_decoder *d, const char *start, size_t length) {
  c66_ref ref;
  ref.offset = (uint32_t)(start - d->json.text);
  ref.length = (uint32_t)length;
  return ref;
}

c66_ref c66_span_ref(const c66_decoder *d, const c66_span *span) {
  c66_ref ref = c66_make_ref(d, span->start, span->length);
  if (span->escaped)
    ref.length |= C66_ESCAPED;
  return ref;
}

c66_ref c66_no_ref(c66_nothing why) {
  c66_ref ref;
  ref.offset = 0;
  ref.length = (uint32_t)why;
  return ref;
}

static void set_state(c66_record *r, unsigned slot, c66_state state) {
  unsigned shift = 3 * slot;
  r->states = (uint16_t)((r->states & ~(7U << shift)) | ((unsigned)state << shift));
}

/* --- keys --- */

static c66_field_id find_field(const c66_span *key) {
  unsigned i;
  for (i = 0; i < C66_FIELD_COUNT; i++)
    if (c66_json_equals(key, c66_fields[i].name, c66_fields[i].length))
      break;
  return (c66_field_id)i;
}

/* Whether `p`, behind an opening quote, goes on with this field's name and the closing quote. */
static int is_field(const c66_decoder *d, const char *p, unsigned field) {
  const c66_field *f;
  if (field >= C66_FIELD_COUNT)
    return 0;
  f = &c66_fields[field];
  return d->json.end - p > f->length && memcmp(p, f->name, f->length) == 0 && p[f->length] == '"';
}

/* Reads a key and its colon, trying first what stood at this place in the object before. */
static const char *read_key(c66_decoder *d, const char *p, size_t place, c66_field_id *field) {
  c66_span key;
  if (*p != '"')
    return c66_json_unexpected(&d->json, p, "expected a key in quotes");
  p++;
  if (place < sizeof d->order && is_field(d, p, d->order[place])) {
    *field = (c66_field_id)d->order[place];
    p += c66_fields[*field].length + 1;
  } else {
    p = c66_json_string(&d->json, p, &key);
    if (p == NULL)
      return NULL;
    *field = find_field(&key);
    if (place < sizeof d->order)
      d->order[place] = (unsigned char)*field;
  }
  if (p[0] == ':' && (unsigned char)p[1] > ' ')
    return p + 1;
  return c66_json_colon(&d->json, p);
}

/* --- values --- */

static const char *read_id(c66_decoder *d, const char *p, c66_record *r, unsigned slot) {
  c66_number n;
  if (*p != '-' && (*p < '0' || *p > '9')) {
    set_state(r, slot, *p == 'n' ? C66_STATE_NULL : C66_STATE_DRIFT);
    return c66_json_skip(&d->json, p, d->depth + 1);
  }
  p = c66_json_number(&d->json, p, &n);
  if (p == NULL)
    return NULL;
  if (n.kind == C66_NUMBER_INTEGER) {
    r->id.integer = n.integer;
    set_state(r, slot, C66_STATE_INTEGER);
  } else if (n.kind == C66_NUMBER_BIG_INTEGER) {
    r->id.digits = c66_make_ref(d, n.start, n.length);
    set_state(r, slot, C66_STATE_DIGITS);
  } else {
    set_state(r, slot, C66_STATE_DRIFT);
  }
  return p;
}

static const char *read_text(c66_decoder *d, const char *p, c66_ref *out) {
  if (*p == '"') {
    c66_span span;
    p = c66_json_string(&d->json, p + 1, &span);
    if (p != NULL)
      *out = c66_span_ref(d, &span);
    return p;
  }
  *out = c66_no_ref(*p == 'n' ? C66_NULL : C66_DRIFT);
  return c66_json_skip(&d->json, p, d->depth + 1);
}

static const char *read_boolean(c66_decoder *d, const char *p, c66_record *r, unsigned slot) {
  c66_state state = C66_STATE_DRIFT;
  if (*p == 't')
    state = C66_STATE_TRUE;
  else if (*p == 'f')
    state = C66_STATE_FALSE;
  else if (*p == 'n')
    state = C66_STATE_NULL;
  set_state(r, slot, state);
  return state == C66_STATE_DRIFT ? c66_json_skip(&d->json, p, d->depth + 1)
                                  : c66_json_literal(&d->json, p);
}

static const char *read_value(c66_decoder *d, const char *p, c66_field_id field, c66_record *r) {
  const c66_field *f;
  if (field == C66_UNKNOWN_FIELD)
    return c66_json_skip(&d->json, p, d->depth + 1);
  f = &c66_fields[field];
  switch ((c66_type)f->type) {
  case C66_INTEGER:
    return read_id(d, p, r, f->slot);
  case C66_WORD:
    return c66_read_word(d, p, f, &r->words[f->slot]);
  case C66_BOOLEAN:
    return read_boolean(d, p, r, f->slot);
  case C66_TEXT:
  case C66_DATE:
    break;
  }
  return read_text(d, p, &r->texts[f->slot]);
}

/* --- one deployment --- */

/* An object without an id is no deployment: say what it looks like instead. */
static const char *not_a_deployment(const c66_decoder *d, const char *start, size_t length) {
  c66_page page;
  c66_record r;
  memset(&page, 0, sizeof page);
  page.body = d->json.text;
  page.length = (size_t)(d->json.end - d->json.text);
  r.span = c66_make_ref(d, start, length);
  if (c66_find(&page, &r, "error", 5) != NULL)
    return c66_json_fail(&d->json, start, "an error body, not a deployment");
  if (c66_find(&page, &r, "uid", 3) != NULL)
    return c66_json_fail(&d->json, start,
                         "an object with a 'uid', such as a stack, not a deployment");
  return c66_json_fail(&d->json, start, "an object without an 'id' is not a deployment");
}

static const char *read_members(c66_decoder *d, const char *p, c66_record *r) {
  const c66_json *j = &d->json;
  size_t place;
  p = c66_json_space(p + 1);
  if (*p == '}')
    return p + 1;
  for (place = 0;; place++) {
    c66_field_id field = C66_UNKNOWN_FIELD;
    p = read_key(d, p, place, &field);
    if (p == NULL || (p = read_value(d, p, field, r)) == NULL)
      return NULL;
    p = c66_json_space(p);
    if (*p == '}')
      return p + 1;
    if (*p != ',')
      return c66_json_unexpected(j, p, "expected ',' or '}'");
    p = c66_json_space(p + 1);
  }
}

const char *c66_read_deployment(c66_decoder *d, const char *p) {
  const c66_state no_id = C66_STATE_NULL; /* and absent, which is less */
  const char *start = p;
  c66_record r;
  if (*p != '{')
    return c66_json_unexpected(&d->json, p, "expected a deployment (an object)");
  memset(&r, 0, sizeof r);
  p = read_members(d, p, &r);
  if (p == NULL)
    return NULL;
  if (c66_get_state(&r, c66_fields[C66_ID].slot) <= no_id)
    return not_a_deployment(d, start, (size_t)(p - start));
  r.span = c66_make_ref(d, start, (size_t)(p - start));
  if (c66_buffer_append(&d->records, &r, sizeof r) != C66_ROOM_OK)
    return c66_out_of_memory(d);
  return p;
}
