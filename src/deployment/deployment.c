/* deployment.c - one JSON object to a record of a page.
 *
 * The whole idea. A page of the API is one JSON text with up to 30 deployments of 18 keys, and a
 * script looks at a few of them. So decoding builds no objects and copies no strings: it reads the
 * text once, strictly, and writes down for each deployment where its values are.
 *
 *   body   {"response":[{"id":107,"git_hash":"5675fc...","outcome":{"code":1,"meaning":"ok"},
 *                       ^offset   ^texts[git_hash]       ^words[outcome] -> the page's list of words
 *
 *   page   | header | record | record | ... | word | word | ...   one block, the body beside it
 *
 * A record is a cache line: the id as an integer, four booleans in three bits each, for each text
 * and date a 16-bit offset and length within the object, and for each {code, meaning} the number of
 * an entry in the page's list of distinct ones, of which there are a dozen at most. An object too
 * large for 16 bits is marked, and its texts are searched for when they are read. Dates and escapes
 * are only checked as JSON here; record.c turns them into values when somebody asks.
 *
 * Objects of one page are laid out alike, so the decoder remembers the bytes between two values,
 * such as `,"git_hash":`, from the object before, and compares them at once (read_members); in the
 * same way it compares a {code, meaning} with those it has seen (memo.c). Both are guesses checked
 * byte by byte: a wrong guess costs time, never an error.
 *
 * envelope.c finds the list in the body and lays the page out. */
#include "base/ascii.h"
#include "deployment/decoder.h"
#include "json/scan.h"

#include <stdio.h>
#include <string.h>

/* --- where a value stands --- */

/* In an oversize object the result is wrong, and is not used. */
static c66_short_ref short_ref(const c66_decoder *d, const char *start, const char *end) {
  c66_short_ref ref;
  ref.offset = (uint16_t)(start - d->object);
  ref.length = (uint16_t)(end - start);
  return ref;
}

static c66_short_ref no_ref(c66_missing_reason reason) {
  c66_short_ref ref;
  ref.offset = 0;
  ref.length = (uint16_t)reason;
  return ref;
}

static void set_state(c66_record *r, unsigned slot, c66_state state) {
  unsigned shift = 3 * slot;
  r->states = (c66_states)((r->states & ~(7U << shift)) | ((unsigned)state << shift));
}

/* --- values --- */

static const char *skip(const c66_decoder *d, const char *p) {
  return c66_json_skip(&d->json, p, d->depth + 1);
}

static const char *read_id(const c66_decoder *d, const char *p, c66_record *r, unsigned slot) {
  const char *end;
  c66_number n;
  if (c66_json_short_integer(p, &end, &r->id)) {
    set_state(r, slot, C66_STATE_INTEGER);
    return end;
  }
  if (*p != '-' && !c66_is_digit(*p)) {
    set_state(r, slot, *p == 'n' ? C66_STATE_NULL : C66_STATE_DRIFT);
    return skip(d, p);
  }
  p = c66_json_number(&d->json, p, &n);
  if (p == NULL)
    return NULL;
  if (n.kind == C66_NUMBER_INTEGER) {
    r->id = n.integer;
    set_state(r, slot, C66_STATE_INTEGER);
  } else {
    set_state(r, slot, n.kind == C66_NUMBER_REAL ? C66_STATE_DRIFT : C66_STATE_DIGITS);
  }
  return p;
}

/* A text with an escape or a character beyond ASCII in it. */
static const char *read_odd_text(const c66_decoder *d, const char *p, c66_short_ref *out) {
  c66_span span;
  const char *end = c66_json_string(&d->json, p, &span);
  if (end == NULL)
    return NULL;
  *out = short_ref(d, p, end - 1);
  if (span.escaped)
    out->length |= C66_SHORT_ESCAPED;
  return end;
}

static const char *read_no_text(const c66_decoder *d, const char *p, c66_short_ref *out) {
  *out = no_ref(*p == 'n' ? C66_NULL : C66_DRIFT);
  return d->json.end - p >= 4 && memcmp(p, "null", 4) == 0 ? p + 4 : skip(d, p);
}

static const char *read_text(const c66_decoder *d, const char *p, c66_record *r, unsigned slot) {
  const char *end;
  if (*p != '"')
    return read_no_text(d, p, &r->texts[slot]);
  p++;
  end = c66_plain_run(p, d->json.end);
  if (C66_UNLIKELY(*end != '"'))
    return read_odd_text(d, p, &r->texts[slot]);
  r->texts[slot] = short_ref(d, p, end);
  return end + 1;
}

static const char *read_boolean(const c66_decoder *d, const char *p, c66_record *r, unsigned slot) {
  size_t left = (size_t)(d->json.end - p);
  if (left >= 4 && memcmp(p, "true", 4) == 0) {
    set_state(r, slot, C66_STATE_TRUE);
    return p + 4;
  }
  if (left >= 5 && memcmp(p, "false", 5) == 0) {
    set_state(r, slot, C66_STATE_FALSE);
    return p + 5;
  }
  set_state(r, slot, *p == 'n' ? C66_STATE_NULL : C66_STATE_DRIFT);
  return skip(d, p);
}

static const char *read_value(c66_decoder *d, const char *p, const c66_key_template *t,
                              c66_record *r) {
  switch ((c66_type)t->type) {
  case C66_TEXT:
  case C66_DATE:
    return read_text(d, p, r, t->slot);
  case C66_BOOLEAN:
    return read_boolean(d, p, r, t->slot);
  case C66_WORD:
    return c66_read_word(d, p, &c66_fields[t->field], r);
  case C66_INTEGER:
    return read_id(d, p, r, t->slot);
  case C66_OTHER:
    break;
  }
  return skip(d, p);
}

/* --- keys --- */

/* Of a page, until its objects count as laid out differently from each other. */
enum { MOST_MISSES = 128 };

static int is_name(const c66_span *key, const c66_field *f) {
  if (key->escaped)
    return c66_json_equals(key, f->name, f->length);
  return key->length == f->length && c66_same(key->start, f->name, f->length);
}

static unsigned find_field(const c66_span *key) {
  unsigned i;
  for (i = 0; i < C66_FIELD_COUNT; i++)
    if (is_name(key, &c66_fields[i]))
      break;
  return i;
}

/* Whether the template's bytes stand at `p`. */
static inline int fits(const c66_decoder *d, const char *p, const c66_key_template *t) {
  size_t length = t->length;
  return length != 0 && (size_t)(d->json.end - p) > length && c66_same(p, t->bytes, length);
}

/* What a key leads to. Its bytes are remembered too, unless objects prove to be laid out
 * differently from each other. */
static void learn_template(c66_decoder *d, c66_key_template *t, const char *start, const char *end,
                           unsigned field) {
  size_t length = (size_t)(end - start);
  if (length > sizeof t->bytes || (t->length != 0 && ++d->misses > MOST_MISSES))
    length = 0;
  memcpy(t->bytes, start, length);
  t->length = (unsigned char)length;
  t->field = (unsigned char)field;
  t->type = field == C66_UNKNOWN_FIELD ? C66_OTHER : c66_fields[field].type;
  t->slot = field == C66_UNKNOWN_FIELD ? 0 : c66_fields[field].slot;
}

/* Reads from behind a value, or from the opening brace, to the next value; *t then tells the key. Or
 * behind the closing brace, with *over set. */
static const char *read_key(c66_decoder *d, const char *p, int first, c66_key_template *t,
                            int *over) {
  const char *start = p;
  c66_span key;
  *over = 0;
  p = c66_json_member(&d->json, p, first, &key);
  if (p == NULL)
    return NULL;
  *over = key.start == NULL;
  if (!*over)
    learn_template(d, t, start, p, find_field(&key));
  return p;
}

/* --- one deployment --- */

static const char *read_members(c66_decoder *d, const char *p, c66_record *r) {
  c66_key_template *last = &d->templates[C66_KEY_TEMPLATES]; /* for the rest: never remembered */
  c66_key_template *t = d->templates;
  int over;
  for (;;) {
    if (fits(d, p, t)) {
      p = c66_json_space(p + t->length);
    } else {
      p = read_key(d, p, t == d->templates, t, &over);
      if (p == NULL || over)
        return p;
      last->length = 0;
    }
    p = read_value(d, p, t, r);
    if (p == NULL)
      return NULL;
    if (*p == '}')
      return p + 1;
    if (t != last)
      t++;
  }
}

static int has_id(const c66_record *r) {
  return c66_get_state(r, c66_fields[C66_ID].slot) > C66_STATE_NULL; /* absent is less */
}

/* Other objects of the API have an id too; but a deployment says how it came about or ended. */
static int is_doubtful(const c66_record *r) {
  unsigned words = C66_ABSENT;
  int i;
  for (i = 0; i < C66_WORD_SLOTS; i++)
    words |= r->words[i];
  return !has_id(r) || words == C66_ABSENT;
}

/* Refuses an object that is no deployment, and says what it looks like. Otherwise not NULL. */
static const char *check_kind(const c66_decoder *d, const c66_record *r) {
  const c66_json *j = &d->json;
  const char *start = j->text + r->offset;
  if (c66_json_find(j, start, "error", 5) != NULL)
    return c66_json_fail(j, start, "an error body, not a deployment");
  if (c66_json_find(j, start, "uid", 3) != NULL)
    return c66_json_fail(j, start, "an object with a 'uid', such as a stack, not a deployment");
  if (c66_json_find(j, start, "resource_type", 13) != NULL)
    return c66_json_fail(j, start, "an action, not a deployment");
  if (c66_json_find(j, start, "variant_type", 12) != NULL)
    return c66_json_fail(j, start, "an application variant, not a deployment");
  if (has_id(r))
    return j->text;
  return c66_json_fail(j, start, "an object without an 'id' is not a deployment");
}

static const char *out_of_memory(const c66_decoder *d) {
  c66_error *e = d->json.error;
  e->kind = "memory";
  (void)snprintf(e->message, sizeof e->message, "not enough memory");
  return NULL;
}

const char *c66_read_deployment(c66_decoder *d, const char *p) {
  const char *start = p;
  c66_record *r;
  if (*p != '{')
    return c66_json_unexpected(&d->json, p, "expected a deployment (an object)");
  if (c66_buffer_reserve(&d->records, sizeof *r) != C66_ALLOC_OK)
    return out_of_memory(d);
  r = (c66_record *)(void *)(d->records.data + d->records.len);
  memset(r, 0, sizeof *r);
  d->object = start;
  r->offset = (uint32_t)(start - d->json.text);
  p = read_members(d, p, r);
  if (p == NULL)
    return NULL;
  r->length = (uint32_t)(p - start);
  if (r->length >= C66_SHORT_LIMIT)
    r->states |= C66_OVERSIZE;
  if (is_doubtful(r) && check_kind(d, r) == NULL)
    return NULL;
  d->records.len += sizeof *r;
  return p;
}
