/* text.c - JSON strings: escapes and UTF-8, checked, unescaped and compared. */
#include "json/text.h"
#include "base/ascii.h"
#include "json/scan.h"

#include <string.h>

static int is_tail(char c) { return ((unsigned char)c & 0xC0U) == 0x80U; }

/* Length of the well-formed UTF-8 sequence at `p` (a byte from 0x80 on), or 0. The zero at the end
 * is no tail. */
static size_t utf8_length(const char *p) {
  unsigned char first = (unsigned char)p[0];
  unsigned char second;
  if (first < 0xC2 || first > 0xF4)
    return 0;
  second = (unsigned char)p[1];
  if (!is_tail(p[1]))
    return 0;
  if (first < 0xE0)
    return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F))
    return 0; /* overlong, surrogate */
  if (!is_tail(p[2]))
    return 0;
  if (first < 0xF0)
    return 3;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
    return 0; /* overlong, beyond U+10FFFF */
  return is_tail(p[3]) ? 4 : 0;
}

size_t c66_utf8_run(const char *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    size_t n = (unsigned char)text[at] < 0x80 ? 1 : utf8_length(text + at);
    if (n == 0)
      break;
    at += n;
  }
  return at;
}

/* The value of four hex digits, or -1. */
static int hex4(const char *p) {
  int value = 0;
  int i;
  for (i = 0; i < 4; i++) {
    char c = p[i];
    int digit;
    if (c >= '0' && c <= '9')
      digit = c - '0';
    else if (c >= 'a' && c <= 'f')
      digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      digit = c - 'A' + 10;
    else
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* Checks the escape whose backslash is at `p`. */
static const char *check_escape(const c66_json *j, const char *p) {
  int unit;
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return c66_json_unexpected(j, p + 1, "unknown escape in a string");
  }
  unit = hex4(p + 2);
  if (unit < 0)
    return c66_json_fail(j, p, "\\u needs four hex digits");
  if (unit < 0xD800 || unit > 0xDFFF)
    return p + 6;
  if (unit <= 0xDBFF && p[6] == '\\' && p[7] == 'u') {
    int low = hex4(p + 8);
    if (low >= 0xDC00 && low <= 0xDFFF)
      return p + 12;
  }
  return c66_json_fail(j, p, "lone surrogate in a string");
}

const char *c66_json_string(const c66_json *j, const char *p, c66_span *out) {
  const char *start = p;
  int escaped = 0;
  for (;;) {
    p = c66_plain_run(p, j->end);
    if (*p == '"')
      break;
    if (*p == '\\') {
      escaped = 1;
      p = check_escape(j, p);
      if (p == NULL)
        return NULL;
    } else if ((unsigned char)*p >= 0x80) {
      size_t n = utf8_length(p);
      if (n == 0)
        return c66_json_fail(j, p, "invalid UTF-8 in a string");
      p += n;
    } else if (p >= j->end) {
      return c66_json_fail(j, p, "the text ends inside a string");
    } else {
      return c66_json_fail(j, p, "control character in a string");
    }
  }
  if (out != NULL) {
    out->start = start;
    out->length = (size_t)(p - start);
    out->escaped = escaped;
  }
  return p + 1;
}

static char *put_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xC0U | (code >> 6));
    *out++ = (char)(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    *out++ = (char)(0xE0U | (code >> 12));
    *out++ = (char)(0x80U | ((code >> 6) & 0x3FU));
    *out++ = (char)(0x80U | (code & 0x3FU));
  } else {
    *out++ = (char)(0xF0U | (code >> 18));
    *out++ = (char)(0x80U | ((code >> 12) & 0x3FU));
    *out++ = (char)(0x80U | ((code >> 6) & 0x3FU));
    *out++ = (char)(0x80U | (code & 0x3FU));
  }
  return out;
}

/* Unescapes the checked escape at *p, and moves *p behind it. */
static char *put_escape(const char **p, char *out) {
  const char *at = *p;
  unsigned code;
  *p = at + 2;
  switch (at[1]) {
  case 'b':
    *out = '\b';
    return out + 1;
  case 'f':
    *out = '\f';
    return out + 1;
  case 'n':
    *out = '\n';
    return out + 1;
  case 'r':
    *out = '\r';
    return out + 1;
  case 't':
    *out = '\t';
    return out + 1;
  case 'u':
    break;
  default: /* quote, backslash, slash */
    *out = at[1];
    return out + 1;
  }
  code = (unsigned)hex4(at + 2);
  *p = at + 6;
  if (code >= 0xD800 && code <= 0xDBFF) {
    code = 0x10000U + ((code - 0xD800U) << 10) + ((unsigned)hex4(at + 8) - 0xDC00U);
    *p = at + 12;
  }
  return put_utf8(out, code);
}

size_t c66_json_unescape(const c66_span *span, char *out) {
  const char *p = span->start;
  const char *end = p + span->length;
  char *start = out;
  while (p < end) {
    const char *backslash = memchr(p, '\\', (size_t)(end - p));
    size_t run = (size_t)((backslash != NULL ? backslash : end) - p);
    memcpy(out, p, run);
    out += run;
    p += run;
    if (backslash != NULL)
      out = put_escape(&p, out);
  }
  return (size_t)(out - start);
}

size_t c66_json_unescape_lower(const c66_span *span, char *out) {
  size_t n = c66_json_unescape(span, out);
  size_t i;
  for (i = 0; i < n; i++)
    out[i] = c66_lower(out[i]);
  return n;
}

int c66_json_equals(const c66_span *span, const char *word, size_t length) {
  const char *p = span->start;
  const char *end = p + span->length;
  const char *word_end = word + length;
  if (!span->escaped)
    return span->length == length && memcmp(p, word, length) == 0;
  while (p < end) {
    char plain[4];
    size_t n = 1;
    if (*p == '\\')
      n = (size_t)(put_escape(&p, plain) - plain);
    else
      plain[0] = *p++;
    if ((size_t)(word_end - word) < n || memcmp(word, plain, n) != 0)
      return 0;
    word += n;
  }
  return word == word_end;
}
