/* record.c - every name a deployment has, read from a page. */
#include "deployment/record.h"
#include "deployment/word.h"
#include "json/timestamp.h"

/* --- pieces of a record --- */

static unsigned slot_of(unsigned field) { return c66_fields[field].slot; }

static int is_oversize(const c66_record *r) { return (r->states & C66_OVERSIZE) != 0; }

const char *c66_find(const c66_page *page, const c66_record *record, const char *name,
                     size_t length) {
  c66_error error;
  c66_json j;
  c66_page_json(page, &j, &error);
  return c66_json_find(&j, page->body + record->offset, name, length);
}

/* The value of a field, searched for in the body. */
static const char *find_value(const c66_page *page, const c66_record *r, unsigned field) {
  return c66_find(page, r, c66_fields[field].name, c66_fields[field].length);
}

/* A text or date as it stands in the body. 0 when there is none. */
static int text_of(const c66_page *page, const c66_record *r, unsigned field, c66_span *span) {
  const c66_short_ref *ref = &r->texts[slot_of(field)];
  const char *p;
  c66_error error;
  c66_json j;
  if (!is_oversize(r)) {
    span->start = page->body + r->offset + ref->offset;
    span->length = ref->length & ~C66_SHORT_ESCAPED;
    span->escaped = (ref->length & C66_SHORT_ESCAPED) != 0;
    return ref->offset != 0;
  }
  c66_page_json(page, &j, &error);
  p = find_value(page, r, field);
  return p != NULL && *p == '"' && c66_json_string(&j, p + 1, span) != NULL;
}

/* The field's {code, meaning}: an entry of the page's list, or read into `scratch`. NULL when there
 * is none. */
static const c66_word *word_of(const c66_page *page, const c66_record *r, unsigned field,
                               c66_word *scratch) {
  unsigned number = r->words[slot_of(field)];
  const char *p;
  c66_error error;
  c66_json j;
  if (number >= C66_FIRST_WORD)
    return &page->words[number - C66_FIRST_WORD];
  if (!is_oversize(r))
    return NULL;
  p = find_value(page, r, field);
  c66_page_json(page, &j, &error);
  if (p == NULL || (*p != '{' && *p != '"'))
    return NULL;
  return c66_parse_word(&j, p, 0, &c66_fields[field], scratch) != NULL ? scratch : NULL;
}

static void read_ref(const c66_page *page, const c66_ref *ref, c66_value *out) {
  if (ref->offset == 0)
    return;
  out->kind = C66_VALUE_TEXT;
  out->span.start = page->body + ref->offset;
  out->span.length = ref->length & ~C66_ESCAPED;
  out->span.escaped = (ref->length & C66_ESCAPED) != 0;
}

static int is_word(const c66_page *page, const c66_record *r, unsigned field, int known) {
  c66_word scratch;
  const c66_word *w = word_of(page, r, field, &scratch);
  return w != NULL && w->known == known;
}

static int is_true(const c66_record *r, unsigned field) {
  return c66_get_state(r, slot_of(field)) == C66_STATE_TRUE;
}

/* Index of each documented outcome in c66_fields[C66_OUTCOME].words. */
enum { PENDING, SUCCESS, FAILED };

/* It has an end, or an outcome that only an end brings while it is not known to go on. */
static int is_finished(const c66_page *page, const c66_record *r) {
  c66_span end;
  if (text_of(page, r, C66_FINISHED_AT, &end) && end.length > 0)
    return 1;
  return (is_word(page, r, C66_OUTCOME, SUCCESS) || is_word(page, r, C66_OUTCOME, FAILED)) &&
         !is_true(r, C66_IS_DEPLOYING);
}

static int is_running(const c66_page *page, const c66_record *r) {
  return !is_finished(page, r) &&
         (is_true(r, C66_IS_DEPLOYING) || is_word(page, r, C66_OUTCOME, PENDING));
}

int c66_seconds(const c66_page *page, const c66_record *record, c66_field_id field, int64_t *out) {
  char plain[256]; /* a date of 35 bytes, each written as \uXXXX */
  c66_span span;
  if (!text_of(page, record, field, &span))
    return 0;
  if (!span.escaped)
    return c66_timestamp(span.start, span.length, out);
  if (span.length > sizeof plain)
    return 0;
  return c66_timestamp(plain, c66_json_unescape(&span, plain), out);
}

/* --- values --- */

static void read_integer(const c66_page *page, const c66_record *r, c66_value *out) {
  c66_state state = c66_get_state(r, slot_of(C66_ID));
  if (state == C66_STATE_INTEGER) {
    out->kind = C66_VALUE_INTEGER;
    out->integer = r->id;
  } else if (state == C66_STATE_DIGITS) {
    out->kind = C66_VALUE_NUMBER;
    out->span.start = find_value(page, r, C66_ID);
  }
}

static void read_word(const c66_page *page, const c66_record *r, unsigned field, c66_value *out) {
  c66_word scratch;
  const c66_word *w = word_of(page, r, field, &scratch);
  if (w == NULL || w->source == C66_NO_WORD)
    return;
  if (w->known >= 0) {
    out->kind = C66_VALUE_WORD;
    out->integer = c66_word_index(field, w->known);
  } else {
    read_ref(page, w->source == C66_WORD_IS_MEANING ? &w->meaning : &w->code, out);
    out->kind = C66_VALUE_LOWER;
  }
}

static void read_code(const c66_page *page, const c66_record *r, unsigned field, c66_value *out) {
  c66_word scratch;
  const c66_word *w = word_of(page, r, field, &scratch);
  if (w == NULL || w->source == C66_WORD_IS_BARE)
    return;
  read_ref(page, &w->code, out);
  if (w->code_is_number)
    out->kind = C66_VALUE_NUMBER;
}

static void read_meaning(const c66_page *page, const c66_record *r, unsigned field,
                         c66_value *out) {
  c66_word scratch;
  const c66_word *w = word_of(page, r, field, &scratch);
  if (w != NULL)
    read_ref(page, &w->meaning, out);
}

static void read_field(const c66_page *page, const c66_record *r, unsigned field, c66_value *out) {
  switch ((c66_type)c66_fields[field].type) {
  case C66_INTEGER:
    read_integer(page, r, out);
    break;
  case C66_TEXT:
  case C66_DATE:
    if (text_of(page, r, field, &out->span))
      out->kind = C66_VALUE_TEXT;
    break;
  case C66_WORD:
    read_word(page, r, field, out);
    break;
  case C66_BOOLEAN: {
    c66_state state = c66_get_state(r, slot_of(field));
    if (state == C66_STATE_TRUE || state == C66_STATE_FALSE) {
      out->kind = C66_VALUE_BOOLEAN;
      out->boolean = state == C66_STATE_TRUE;
    }
    break;
  }
  case C66_OTHER:
    break;
  }
}

static void set_boolean(c66_value *out, int value) {
  out->kind = C66_VALUE_BOOLEAN;
  out->boolean = value;
}

static void read_seconds(const c66_page *page, const c66_record *r, unsigned field,
                         c66_value *out) {
  if (c66_seconds(page, r, (c66_field_id)field, &out->integer))
    out->kind = C66_VALUE_INTEGER;
}

/* Nil rather than a negative length: then one of the two clocks was wrong. */
static void read_duration(const c66_page *page, const c66_record *r, c66_value *out) {
  int64_t started;
  int64_t finished;
  if (!c66_seconds(page, r, C66_STARTED_AT, &started) ||
      !c66_seconds(page, r, C66_FINISHED_AT, &finished) || finished < started)
    return;
  out->kind = C66_VALUE_INTEGER;
  out->integer = finished - started;
}

void c66_read(const c66_page *page, const c66_record *record, const c66_attribute *a,
              c66_value *out) {
  out->kind = C66_VALUE_NIL;
  switch ((c66_view)a->view) {
  case C66_VIEW_FIELD:
    read_field(page, record, a->field, out);
    break;
  case C66_VIEW_SECONDS:
    read_seconds(page, record, a->field, out);
    break;
  case C66_VIEW_DURATION:
    read_duration(page, record, out);
    break;
  case C66_VIEW_CODE:
    read_code(page, record, a->field, out);
    break;
  case C66_VIEW_MEANING:
    read_meaning(page, record, a->field, out);
    break;
  case C66_VIEW_IS_WORD:
    set_boolean(out, is_word(page, record, a->field, a->word));
    break;
  case C66_VIEW_FINISHED:
    set_boolean(out, is_finished(page, record));
    break;
  case C66_VIEW_RUNNING:
    set_boolean(out, is_running(page, record));
    break;
  }
}

/* --- what was sent instead --- */

/* Whether neither text nor word was sent, nor null. */
static int is_odd(const c66_page *page, const c66_record *r, c66_field_id field) {
  const c66_field *f = &c66_fields[field];
  const char *value;
  if (!is_oversize(r) && f->type == C66_WORD)
    return r->words[f->slot] == C66_DRIFT;
  if (!is_oversize(r))
    return r->texts[f->slot].offset == 0 && r->texts[f->slot].length == C66_DRIFT;
  value = find_value(page, r, field);
  return value != NULL && *value != 'n';
}

static int has_drifted(const c66_page *page, const c66_record *r, c66_field_id field) {
  const c66_word *word;
  c66_word scratch;
  c66_span text;
  int64_t seconds;
  switch ((c66_type)c66_fields[field].type) {
  case C66_INTEGER:
  case C66_BOOLEAN:
    return c66_get_state(r, slot_of(field)) == C66_STATE_DRIFT;
  case C66_WORD:
    word = word_of(page, r, field, &scratch);
    return word != NULL ? word->source == C66_NO_WORD : is_odd(page, r, field);
  case C66_DATE:
    if (text_of(page, r, field, &text))
      return !c66_seconds(page, r, field, &seconds);
    break;
  case C66_TEXT:
    if (text_of(page, r, field, &text))
      return 0;
    break;
  case C66_OTHER:
    break;
  }
  return is_odd(page, r, field);
}

const char *c66_drift(const c66_page *page, const c66_record *record, c66_field_id field) {
  const char *value;
  if (!has_drifted(page, record, field))
    return NULL;
  value = find_value(page, record, field);
  return value == NULL ? NULL : c66_json_type(*value);
}

/* The fields an attribute is read from, ended by C66_FIELD_COUNT. */
static void sources_of(const c66_attribute *a, c66_field_id out[4]) {
  int n = 0;
  if (a->view == C66_VIEW_DURATION) {
    out[n++] = C66_STARTED_AT;
    out[n++] = C66_FINISHED_AT;
  } else if (a->view == C66_VIEW_FINISHED || a->view == C66_VIEW_RUNNING) {
    out[n++] = C66_OUTCOME;
    out[n++] = C66_FINISHED_AT;
    out[n++] = C66_IS_DEPLOYING;
  } else {
    out[n++] = (c66_field_id)a->field;
  }
  out[n] = C66_FIELD_COUNT;
}

const char *c66_attribute_drift(const c66_page *page, const c66_record *record,
                                const c66_attribute *a) {
  c66_field_id fields[4];
  const char *got = NULL;
  int i;
  sources_of(a, fields);
  for (i = 0; fields[i] != C66_FIELD_COUNT && got == NULL; i++)
    got = c66_drift(page, record, fields[i]);
  return got;
}
