/*
 * decode.c - fuzzes the decoding of pages, and reading them.
 *
 * An input is one text or several, with the byte FE, which no JSON holds, between them. They are
 * decoded in turn by one decoder, which learns from each, and each by a decoder that knows nothing:
 * what was learned must not show. Then every value is looked up a second time, in the object as it
 * was sent; and each deployment is read again from a list of its own, and with so much beside its
 * keys that no offset of it fits in 16 bits.
 */
#include "deployment/decoder.h"
#include "deployment/record.h"
#include "deployment/word.h"

#include "check.h"

enum { SEPARATOR = 0xFE };

/* --- a decoded text --- */

typedef struct document {
  char *text;
  size_t length;
  c66_status status;
  c66_error error;
  c66_page *page; /* its own block; NULL unless decoded */
} document;

/* The text stays the caller's. */
static void decode(document *doc, c66_decoder *d, char *text, size_t length) {
  doc->text = text;
  doc->length = length;
  doc->page = NULL;
  doc->status = c66_decode(d, text, length, &doc->error);
  if (doc->status == C66_OK)
    doc->page = c66_page_build(d, need(malloc(c66_page_size(d))));
  c66_decoder_trim(d);
}

static void forget(document *doc) { free(doc->page); }

/* --- values compared --- */

static void check_span(const c66_page *page, const c66_span *span) {
  CHECK(span->start > page->body && span->start + span->length <= page->body + page->length);
}

static int has_span(const c66_value *v) {
  return v->kind == C66_VALUE_TEXT || v->kind == C66_VALUE_LOWER;
}

static void check_same_value(const c66_value *a, const c66_value *b) {
  CHECK(a->kind == b->kind);
  if (a->kind == C66_VALUE_BOOLEAN)
    CHECK((a->boolean != 0) == (b->boolean != 0));
  if (a->kind == C66_VALUE_INTEGER || a->kind == C66_VALUE_WORD)
    CHECK(a->integer == b->integer);
  if (has_span(a))
    CHECK(a->span.length == b->span.length && a->span.escaped == b->span.escaped &&
          memcmp(a->span.start, b->span.start, a->span.length) == 0);
}

/* Two records of the same deployment; `x` and `y` may be pages of different texts. */
static void check_same_record(const c66_page *x, const c66_record *a, const c66_page *y,
                              const c66_record *b) {
  c66_value one;
  c66_value other;
  size_t i;
  for (i = 0; i < c66_attribute_count; i++) {
    c66_read(x, a, &c66_attributes[i], &one);
    c66_read(y, b, &c66_attributes[i], &other);
    check_same_value(&one, &other);
    CHECK(c66_attribute_drift(x, a, &c66_attributes[i]) ==
          c66_attribute_drift(y, b, &c66_attributes[i]));
  }
}

static void check_same_page(const c66_page *x, const c66_page *y) {
  uint32_t i;
  CHECK(x->count == y->count && x->length == y->length);
  CHECK(x->pagination.current == y->pagination.current);
  CHECK(x->pagination.next == y->pagination.next);
  CHECK(x->pagination.previous == y->pagination.previous);
  CHECK(x->pagination.pages == y->pagination.pages);
  CHECK(x->pagination.total == y->pagination.total);
  for (i = 0; i < x->count; i++) {
    CHECK(x->records[i].offset == y->records[i].offset);
    CHECK(x->records[i].length == y->records[i].length);
    check_same_record(x, &x->records[i], y, &y->records[i]);
  }
}

static void check_same(const document *a, const document *b) {
  CHECK(a->status == b->status);
  if (a->status == C66_OK) {
    check_same_page(a->page, b->page);
    return;
  }
  CHECK(a->error.offset == b->error.offset);
  CHECK(strcmp(a->error.kind, b->error.kind) == 0);
  CHECK(strcmp(a->error.message, b->error.message) == 0);
}

/* --- a record against its object as sent --- */

static void check_text_field(const c66_json *j, const char *p, const c66_value *v) {
  c66_span span;
  CHECK((v->kind == C66_VALUE_TEXT) == (p != NULL && *p == '"'));
  if (v->kind != C66_VALUE_TEXT)
    return;
  CHECK(c66_json_string(j, p + 1, &span) != NULL);
  CHECK(span.start == v->span.start && span.length == v->span.length);
  CHECK(span.escaped == v->span.escaped);
}

static void check_boolean(const char *p, const c66_value *v) {
  CHECK((v->kind == C66_VALUE_BOOLEAN) == (p != NULL && (*p == 't' || *p == 'f')));
  if (v->kind == C66_VALUE_BOOLEAN)
    CHECK((v->boolean != 0) == (*p == 't'));
}

static void check_integer(const c66_json *j, const char *p, const c66_value *v) {
  c66_number n;
  n.kind = C66_NUMBER_REAL;
  if (p != NULL && (*p == '-' || (*p >= '0' && *p <= '9')))
    CHECK(c66_json_number(j, p, &n) != NULL);
  switch (n.kind) {
  case C66_NUMBER_INTEGER:
    CHECK(v->kind == C66_VALUE_INTEGER && v->integer == n.integer);
    break;
  case C66_NUMBER_BIG_INTEGER:
    CHECK(v->kind == C66_VALUE_NUMBER && v->span.start == p);
    break;
  case C66_NUMBER_REAL:
    CHECK(v->kind == C66_VALUE_NIL);
    break;
  }
}

/* What c66_read is to make of a word. */
static void expect_word(const c66_page *page, unsigned field, const c66_word *w, c66_value *out) {
  const c66_ref *ref = w->source == C66_WORD_IS_MEANING ? &w->meaning : &w->code;
  memset(out, 0, sizeof *out);
  out->kind = C66_VALUE_NIL;
  if (w->source == C66_NO_WORD)
    return;
  out->kind = w->known >= 0 ? C66_VALUE_WORD : C66_VALUE_LOWER;
  if (w->known >= 0)
    out->integer = c66_word_index(field, w->known);
  out->span.start = page->body + ref->offset;
  out->span.length = ref->length & ~C66_ESCAPED;
  out->span.escaped = (ref->length & C66_ESCAPED) != 0;
}

static void check_word(const c66_page *page, const c66_json *j, unsigned field, const char *p,
                       const c66_value *v) {
  c66_word w;
  c66_value want;
  if (p == NULL || (*p != '{' && *p != '"')) {
    CHECK(v->kind == C66_VALUE_NIL);
    return;
  }
  CHECK(c66_parse_word(j, p, 0, &c66_fields[field], &w) != NULL);
  CHECK(w.raw.offset == (uint32_t)(p - page->body));
  CHECK(c66_json_skip(j, p, 0) == p + w.raw.length);
  expect_word(page, field, &w, &want);
  check_same_value(&want, v);
}

static void check_field(const c66_page *page, const c66_record *r, const c66_attribute *a) {
  const c66_field *f = &c66_fields[a->field];
  const char *p = c66_find(page, r, f->name, f->length);
  c66_value v;
  c66_error error;
  c66_json j;
  c66_json_init(&j, page->body, page->length, &error);
  c66_read(page, r, a, &v);
  switch ((c66_type)f->type) {
  case C66_INTEGER:
    check_integer(&j, p, &v);
    break;
  case C66_TEXT:
  case C66_DATE:
    check_text_field(&j, p, &v);
    break;
  case C66_WORD:
    check_word(page, &j, a->field, p, &v);
    break;
  case C66_BOOLEAN:
    check_boolean(p, &v);
    break;
  case C66_OTHER:
    CHECK(0);
  }
}

/* Drift is what reads nil although something other than null was sent, or a date that is none. */
static void check_drift(const c66_page *page, const c66_record *r, const c66_attribute *a) {
  const c66_field *f = &c66_fields[a->field];
  const char *drift = c66_drift(page, r, (c66_field_id)a->field);
  const char *p = c66_find(page, r, f->name, f->length);
  int64_t seconds;
  int odd;
  c66_value v;
  c66_read(page, r, a, &v);
  odd = v.kind == C66_VALUE_NIL;
  if (f->type == C66_DATE)
    odd = !c66_seconds(page, r, (c66_field_id)a->field, &seconds);
  CHECK(drift == c66_attribute_drift(page, r, a));
  CHECK((drift != NULL) == (odd && p != NULL && *p != 'n'));
  if (drift != NULL)
    CHECK(strcmp(drift, c66_json_type(*p)) == 0);
}

/* A word in place of {code, meaning} has neither of the two. */
static void check_part(const c66_page *page, const c66_record *r, const c66_attribute *a,
                       const c66_value *v) {
  const c66_field *f = &c66_fields[a->field];
  const char *p = c66_find(page, r, f->name, f->length);
  if (p == NULL || *p != '{')
    CHECK(v->kind == C66_VALUE_NIL);
}

static void check_value(const c66_page *page, const c66_record *r, const c66_attribute *a) {
  c66_value v;
  c66_read(page, r, a, &v);
  CHECK(!c66_is_predicate(a) || v.kind == C66_VALUE_BOOLEAN);
  if (has_span(&v)) {
    char *plain = need(malloc(v.span.length > 0 ? v.span.length : 1));
    check_span(page, &v.span);
    CHECK(c66_json_unescape(&v.span, plain) <= v.span.length);
    free(plain);
  }
  if (a->view == C66_VIEW_FIELD) {
    check_field(page, r, a);
    check_drift(page, r, a);
  }
  if (a->view == C66_VIEW_CODE || a->view == C66_VIEW_MEANING)
    check_part(page, r, a, &v);
}

static void check_record(const c66_page *page, const c66_record *r) {
  const char *object = page->body + r->offset;
  c66_error error;
  c66_json j;
  size_t i;
  CHECK((size_t)r->offset + r->length <= page->length);
  c66_json_init(&j, page->body, page->length, &error);
  CHECK(*object == '{' && c66_json_skip(&j, object, 0) == object + r->length);
  for (i = 0; i < c66_attribute_count; i++)
    check_value(page, r, &c66_attributes[i]);
  CHECK(c66_find(page, r, "id\xff", 3) == NULL); /* no text that is UTF-8 holds such a byte */
}

/* --- the same deployment in other surroundings --- */

typedef struct writer {
  char *text;
  size_t length;
} writer;

static void add(writer *w, const char *bytes, size_t size) {
  w->text = need(realloc(w->text, w->length + size + 1));
  memcpy(w->text + w->length, bytes, size);
  w->length += size;
  w->text[w->length] = '\0';
}

static void add_object(writer *w, const c66_page *page, const c66_record *r) {
  add(w, page->body + r->offset, r->length);
}

/* Nesting alone may become too deep by being in a list. */
static int decodes(document *doc, c66_decoder *d, const writer *w) {
  decode(doc, d, w->text, w->length);
  CHECK(doc->status == C66_OK || strstr(doc->error.message, "nested deeper") != NULL);
  return doc->status == C66_OK;
}

/* In a list between others, as often as a page may have it. */
static void check_repeated(c66_decoder *d, const c66_page *page) {
  const c66_record *some[3];
  writer w = {NULL, 0};
  document doc;
  int i;
  some[0] = &page->records[0];
  some[1] = &page->records[page->count - 1];
  some[2] = &page->records[page->count / 2];
  add(&w, "{\"response\":[", 13);
  for (i = 0; i < 6; i++) {
    add_object(&w, page, some[i % 3]);
    add(&w, i < 5 ? "," : "]", 1);
  }
  add(&w, "}", 1);
  if (decodes(&doc, d, &w)) {
    CHECK(doc.page->count == 6);
    for (i = 0; i < 6; i++)
      check_same_record(page, some[i % 3], doc.page, &doc.page->records[i]);
  }
  forget(&doc);
  free(w.text);
}

/* A member with a text that brings the object to `size` bytes. Returns the text's length. */
static size_t add_filler(writer *w, const char *key, const c66_record *r, size_t size) {
  size_t room = size - r->length - strlen(key) - 6; /* four quotes, a colon, a comma */
  char *filler = need(malloc(room));
  memset(filler, 'x', room);
  add(w, "\"", 1);
  add(w, key, strlen(key));
  add(w, "\":\"", 3);
  add(w, filler, room);
  add(w, "\"", 1);
  free(filler);
  return room;
}

/* All but commit_url, which is a text of so many bytes. */
static void check_commit_url(const document *doc, const c66_page *page, const c66_record *r,
                             size_t length) {
  size_t i;
  for (i = 0; i < c66_attribute_count; i++) {
    c66_value was;
    c66_value is;
    c66_read(page, r, &c66_attributes[i], &was);
    c66_read(doc->page, &doc->page->records[0], &c66_attributes[i], &is);
    if (c66_attributes[i].field == C66_COMMIT_URL)
      CHECK(is.kind == C66_VALUE_TEXT && is.span.length == length && *is.span.start == 'x');
    else
      check_same_value(&was, &is);
  }
}

enum filler { IN_FRONT, BEHIND, IN_A_FIELD, FILLERS };

/* The object with so much more in it that it has `size` bytes. */
static void check_at_size(c66_decoder *d, const c66_page *page, const c66_record *r, size_t size,
                          enum filler where) {
  const char *object = page->body + r->offset;
  size_t length;
  writer w = {NULL, 0};
  document doc;
  add(&w, "[", 1);
  if (where == IN_FRONT) {
    add(&w, "{", 1);
    length = add_filler(&w, "", r, size);
    add(&w, ",", 1);
    add(&w, object + 1, r->length - 1);
  } else {
    add(&w, object, r->length - 1);
    add(&w, ",", 1);
    length = add_filler(&w, where == IN_A_FIELD ? "commit_url" : "", r, size);
    add(&w, "}", 1);
  }
  add(&w, "]", 1);
  if (decodes(&doc, d, &w)) {
    CHECK(doc.page->count == 1 && doc.page->records[0].length == size);
    if (where == IN_A_FIELD)
      check_commit_url(&doc, page, r, length);
    else
      check_same_record(page, r, doc.page, &doc.page->records[0]);
  }
  forget(&doc);
  free(w.text);
}

/* A number of the text's own, so that a finding comes up again by itself. */
static uint32_t checksum(const document *doc) {
  uint32_t sum = 2166136261U;
  size_t i;
  for (i = 0; i < doc->length; i++)
    sum = (sum ^ (unsigned char)doc->text[i]) * 16777619U;
  return sum ^ (sum >> 15);
}

/* Around every limit that 15 or 16 bits can set; one limit for one text in so many, as this takes
 * long. */
static void check_wide(c66_decoder *d, const document *doc) {
  static const size_t sizes[] = {0x7FFE, 0x7FFF,  0x8000,  0x8001, 0xFFFF,
                                 0x8020, 0x10000, 0x10001, 0x18000};
  enum { SIZES = sizeof sizes / sizeof sizes[0], ONE_IN = 8 };
  uint32_t pick = checksum(doc);
  const c66_record *r = &doc->page->records[pick % doc->page->count];
  size_t size = sizes[pick % SIZES];
  if (pick / SIZES % ONE_IN == 0 && size >= (size_t)r->length + 20)
    check_at_size(d, doc->page, r, size, (enum filler)(pick / SIZES / ONE_IN % FILLERS));
}

/* --- one text --- */

/* A reader that knows no deployments must accept what was decoded, and see no error before. */
static void check_as_json(const document *doc) {
  c66_error error;
  c66_json j;
  const char *p;
  c66_json_init(&j, doc->text, doc->length, &error);
  p = c66_json_skip(&j, c66_json_space(doc->text), 0);
  if (doc->status == C66_OK) {
    CHECK(p != NULL && c66_json_space(p) == doc->text + doc->length);
    return;
  }
  CHECK(strcmp(doc->error.kind, "decode") == 0 && doc->error.offset <= doc->length);
  CHECK(doc->error.message[0] != '\0');
  if (p == NULL)
    CHECK(doc->error.offset <= error.offset);
}

static void check_alone(const document *doc) {
  c66_decoder *fresh = need(malloc(sizeof *fresh));
  document other;
  c66_decoder_init(fresh);
  decode(&other, fresh, doc->text, doc->length);
  check_same(doc, &other);
  forget(&other);
  c66_decoder_free(fresh);
  c66_decoder_free(fresh);
  free(fresh);
}

static void check_page(const c66_page *page) {
  uint32_t i;
  for (i = 0; i < page->count; i++)
    check_record(page, &page->records[i]);
}

static void check_text_of(c66_decoder *learned, const uint8_t *data, size_t size) {
  char *text = copy_text(data, size);
  document doc;
  document again;
  decode(&doc, learned, text, size);
  check_alone(&doc);
  check_as_json(&doc);
  if (doc.page != NULL && doc.page->count > 0) {
    check_page(doc.page);
    check_repeated(learned, doc.page);
    check_wide(learned, &doc);
  }
  /* What was learned of this very text must not show either. */
  decode(&again, learned, text, size);
  check_same(&doc, &again);
  forget(&again);
  forget(&doc);
  free(text);
}

/* A page such as the API sends. */
static const char usual[] =
    "{\"response\":[{\"id\":107,\"triggered_by\":\"test@cloud66.com\",\"triggered_via\":"
    "{\"code\":0,\"meaning\":\"web\"},\"started_at\":\"2014-08-29T17:46:16Z\",\"finished_at\":"
    "\"2014-08-29T17:58:23Z\",\"outcome\":{\"code\":1,\"meaning\":\"success\"},\"git_hash\":"
    "\"5675fcd8f9e6dc534ecf1410c0661c066097e310\",\"deploy_session\":\"OhBHNzkXSl\","
    "\"deploy_type\":{\"code\":0,\"meaning\":\"build\"},\"is_head\":true,\"is_live\":true,"
    "\"reverted\":null,\"reverted_by\":null,\"reverted_at\":null,\"is_deploying\":false},"
    "{\"id\":108,\"outcome\":{\"code\":\"failed\",\"meaning\":\"Failed\"},\"git_ref\":\"main\"}]}";

/* What the decoder knows before the first text. */
static void learn_usual(c66_decoder *learned) {
  char *text = copy_text(usual, sizeof usual - 1);
  document doc;
  decode(&doc, learned, text, sizeof usual - 1);
  CHECK(doc.status == C66_OK);
  forget(&doc);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { MOST_TEXTS = 8 };
  c66_decoder *learned = need(malloc(sizeof *learned));
  size_t start = 0;
  int i;
  c66_decoder_init(learned);
  learn_usual(learned);
  for (i = 0; i < MOST_TEXTS && start <= size; i++) {
    const uint8_t *separator = start < size ? memchr(data + start, SEPARATOR, size - start) : NULL;
    size_t end = separator != NULL ? (size_t)(separator - data) : size;
    check_text_of(learned, size > 0 ? data + start : data, end - start);
    start = end + 1;
  }
  c66_decoder_free(learned);
  free(learned);
  return 0;
}
