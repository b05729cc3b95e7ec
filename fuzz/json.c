/*
 * json.c - fuzzes the reading of JSON against a second reader, written as simply as the grammar.
 *
 * Both must accept the same texts; and each string and number, read in steps, must say the same.
 */
#include "json/walk.h"

#include "check.h"

#include <errno.h>
#include <math.h>

/* --- the second reader: recursive, one byte at a time, always against the end --- */

typedef struct reader {
  const unsigned char *p;
  const unsigned char *end;
} reader;

static int peek(const reader *r) { return r->p < r->end ? *r->p : -1; }

static int accept(reader *r, int byte) {
  if (peek(r) != byte)
    return 0;
  r->p++;
  return 1;
}

static int accept_text(reader *r, const char *text) {
  for (; *text != '\0'; text++)
    if (!accept(r, (unsigned char)*text))
      return 0;
  return 1;
}

static void pass_space(reader *r) {
  while (accept(r, ' ') || accept(r, '\t') || accept(r, '\n') || accept(r, '\r')) {
  }
}

static int pass_digits(reader *r) {
  const unsigned char *start = r->p;
  while (peek(r) >= '0' && peek(r) <= '9')
    r->p++;
  return r->p > start;
}

static int plain_number(reader *r) {
  (void)accept(r, '-');
  if (accept(r, '0') ? pass_digits(r) : !pass_digits(r))
    return 0;
  if (accept(r, '.') && !pass_digits(r))
    return 0;
  if (accept(r, 'e') || accept(r, 'E')) {
    if (!accept(r, '+'))
      (void)accept(r, '-');
    return pass_digits(r);
  }
  return 1;
}

/* Four hex digits, or -1. */
static long plain_hex(reader *r) {
  long value = 0;
  int i;
  for (i = 0; i < 4; i++) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int byte = peek(r);
    const char *at = byte > 0 ? strchr(digits, byte) : NULL;
    if (at == NULL)
      return -1;
    value = value * 16 + (at - digits) % 16;
    r->p++;
  }
  return value;
}

/* A code point as UTF-8; returns its bytes. */
static int encode(long code, unsigned char out[4]) {
  static const long limits[] = {0x80, 0x800, 0x10000, 0x110000};
  static const int lead[] = {0x00, 0xC0, 0xE0, 0xF0};
  int bytes = 1;
  int i;
  while (code >= limits[bytes - 1])
    bytes++;
  for (i = bytes - 1; i > 0; i--) {
    out[i] = (unsigned char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (unsigned char)(lead[bytes - 1] | code);
  return bytes;
}

/* What a backslash begins: a code point, or -1. */
static long plain_escape(reader *r) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  int byte = peek(r);
  const char *at = byte > 0 ? strchr(from, byte) : NULL;
  long high;
  long low;
  if (at != NULL) {
    r->p++;
    return to[at - from];
  }
  if (!accept(r, 'u'))
    return -1;
  high = plain_hex(r);
  if (high < 0xD800 || high > 0xDFFF)
    return high;
  if (high > 0xDBFF || !accept_text(r, "\\u"))
    return -1;
  low = plain_hex(r);
  return low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00) : -1;
}

/* A UTF-8 sequence is the one that its code point is encoded as: a code point, or -1. */
static long plain_utf8(reader *r) {
  unsigned char again[4];
  int first = peek(r);
  int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  long code = first & (0x3F >> more);
  int i;
  if (first < 0xC0 || r->end - r->p <= more)
    return -1;
  for (i = 1; i <= more; i++)
    code = code * 64 + (r->p[i] & 0x3F);
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
    return -1;
  if (encode(code, again) != more + 1 || memcmp(again, r->p, (size_t)more + 1) != 0)
    return -1;
  r->p += more + 1;
  return code;
}

/* From behind the opening quote. `out`, unless NULL, has room for what the text itself takes. */
static int plain_string(reader *r, char *out, size_t *length) {
  unsigned char utf8[4];
  size_t n = 0;
  while (!accept(r, '"')) {
    long code = peek(r);
    int bytes;
    if (code < ' ')
      return 0;
    if (accept(r, '\\'))
      code = plain_escape(r);
    else if (code >= 0x80)
      code = plain_utf8(r);
    else
      r->p++;
    if (code < 0)
      return 0;
    bytes = encode(code, utf8);
    if (out != NULL)
      memcpy(out + n, utf8, (size_t)bytes);
    n += (size_t)bytes;
  }
  *length = n;
  return 1;
}

static int plain_value(reader *r, int depth);

static int plain_container(reader *r, int depth, int object) {
  int close = object ? '}' : ']';
  size_t ignored;
  if (depth >= C66_JSON_DEPTH)
    return 0;
  pass_space(r);
  if (accept(r, close))
    return 1;
  do {
    pass_space(r);
    if (object) {
      if (!accept(r, '"') || !plain_string(r, NULL, &ignored))
        return 0;
      pass_space(r);
      if (!accept(r, ':'))
        return 0;
      pass_space(r);
    }
    if (!plain_value(r, depth + 1))
      return 0;
    pass_space(r);
  } while (accept(r, ','));
  return accept(r, close);
}

static int plain_value(reader *r, int depth) {
  size_t ignored;
  switch (peek(r)) {
  case '{':
    r->p++;
    return plain_container(r, depth, 1);
  case '[':
    r->p++;
    return plain_container(r, depth, 0);
  case '"':
    r->p++;
    return plain_string(r, NULL, &ignored);
  case 't':
    return accept_text(r, "true");
  case 'f':
    return accept_text(r, "false");
  case 'n':
    return accept_text(r, "null");
  default:
    return plain_number(r);
  }
}

/* --- strings and numbers read both ways --- */

static void check_string(const c66_span *span) {
  char *mine = need(malloc(span->length + 1));
  char *theirs = need(malloc(span->length > 0 ? span->length : 1)); /* promised to be enough */
  reader r;
  size_t length = 0;
  r.p = (const unsigned char *)span->start;
  r.end = r.p + span->length + 1;
  CHECK(plain_string(&r, mine, &length) && r.p == r.end);
  CHECK(span->escaped == (memchr(span->start, '\\', span->length) != NULL));
  CHECK(c66_json_unescape(span, theirs) == length && memcmp(mine, theirs, length) == 0);
  mine[length] = 'x';
  CHECK(c66_json_equals(span, theirs, length));
  CHECK(!c66_json_equals(span, mine, length + 1));
  if (length > 0) {
    mine[length - 1] ^= 1;
    CHECK(!c66_json_equals(span, mine, length));
    CHECK(!c66_json_equals(span, theirs, length - 1));
  }
  free(theirs);
  free(mine);
}

static void check_number(const c66_number *n) {
  char *text = copy_text(n->start, n->length);
  char *scratch = need(malloc(n->length + C66_JSON_POINT + 1));
  double want = strtod(text, NULL);
  double got = -1;
  long long integer;
  errno = 0;
  integer = strtoll(text, NULL, 10);
  if (text[strcspn(text, ".eE")] != '\0')
    CHECK(n->kind == C66_NUMBER_REAL);
  else if (errno == ERANGE)
    CHECK(n->kind == C66_NUMBER_BIG_INTEGER);
  else
    CHECK(n->kind == C66_NUMBER_INTEGER && n->integer == integer);
  if (c66_json_real(n->start, n->length, scratch, &got))
    CHECK(got == want);
  else
    CHECK(isinf(want));
  free(scratch);
  free(text);
}

/* --- the same document in steps --- */

static const char *step_value(const c66_json *j, const char *p, int depth);

static const char *step_object(const c66_json *j, const char *p, int depth) {
  c66_span key;
  for (p = c66_json_member(j, p, 1, &key); p != NULL && key.start != NULL;
       p = c66_json_member(j, p, 0, &key)) {
    check_string(&key);
    p = step_value(j, p, depth + 1);
    CHECK(p != NULL);
  }
  return p;
}

static const char *step_array(const c66_json *j, const char *p, int depth) {
  int more;
  for (p = c66_json_element(j, p, 1, &more); p != NULL && more;
       p = c66_json_element(j, p, 0, &more)) {
    p = step_value(j, p, depth + 1);
    CHECK(p != NULL);
  }
  return p;
}

static const char *step_value(const c66_json *j, const char *p, int depth) {
  const char *behind = c66_json_skip(j, p, depth);
  const char *type = c66_json_type(*p);
  c66_span span;
  c66_number n;
  CHECK(behind != NULL && behind <= j->end);
  if (*p == '{') {
    p = step_object(j, p, depth);
  } else if (*p == '[') {
    p = step_array(j, p, depth);
  } else if (*p == '"') {
    p = c66_json_string(j, p + 1, &span);
    CHECK(p != NULL);
    check_string(&span);
  } else if (strcmp(type, "number") == 0) {
    p = c66_json_number(j, p, &n);
    CHECK(p != NULL);
    check_number(&n);
  } else {
    p = c66_json_literal(j, p);
  }
  CHECK(p == behind);
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = copy_text(data, size);
  reader r;
  c66_error error;
  c66_json j;
  const char *start;
  const char *p;
  int valid;
  r.p = (const unsigned char *)text;
  r.end = r.p + size;
  pass_space(&r);
  valid = plain_value(&r, 0);
  c66_json_init(&j, text, size, &error);
  start = c66_json_space(text);
  p = c66_json_skip(&j, start, 0);
  CHECK(valid == (p != NULL));
  if (valid) {
    CHECK((const unsigned char *)p == r.p && error.kind == NULL);
    CHECK(step_value(&j, start, 0) == p);
  } else {
    CHECK(strcmp(error.kind, "decode") == 0 && error.offset <= size);
    CHECK(strlen(error.message) > 0 && strlen(error.message) < sizeof error.message);
  }
  free(text);
  return 0;
}
