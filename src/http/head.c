/* head.c - the head of a response, line by line. */
#include "http/head.h"
#include "base/ascii.h"

#include <string.h>

static size_t cut_blanks(const char *s, size_t n) {
  while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
    n--;
  return n;
}

static size_t cut_line_end(const char *s, size_t n) {
  if (n > 0 && s[n - 1] == '\n')
    n--;
  return n > 0 && s[n - 1] == '\r' ? n - 1 : n;
}

static c66_abort_reason reason_of(c66_alloc result) {
  if (result == C66_ALLOC_OK)
    return C66_ABORT_NONE;
  return result == C66_ALLOC_LIMIT ? C66_ABORT_HEAD_LIMIT : C66_ABORT_NO_MEMORY;
}

static size_t skip_digits(const char *s, size_t from, size_t n) {
  while (from < n && c66_is_digit(s[from]))
    from++;
  return from;
}

/* "HTTP/", a version such as "1.1" or "2", a blank, three digits, and a blank or the end. Begins a
 * head, in place of that of an interim response. */
static bool begin_head(c66_transfer *t, const char *s, size_t n) {
  size_t at = 5, code;
  if (n <= at || memcmp(s, "HTTP/", at) != 0 || !c66_is_digit(s[at]))
    return false;
  at = skip_digits(s, at, n);
  if (at < n && s[at] == '.')
    at = skip_digits(s, at + 1, n);
  if (!c66_is_digit(s[at - 1]) || at >= n || s[at] != ' ')
    return false;
  code = at + 1;
  at = skip_digits(s, code, n);
  if (at != code + 3 || (at < n && s[at] != ' '))
    return false;
  t->head.len = 0;
  t->length = -1;
  t->coded = t->framing = false;
  t->interim = s[code] == '1';
  t->switched = memcmp(s + code, "101", 3) == 0;
  t->head_state = C66_HEAD_OPEN;
  return true;
}

/* A Content-Length that is no number, or another one than before. */
static bool is_bad_length(c66_transfer *t, const char *value, size_t n) {
  enum { MOST_DIGITS = 18 }; /* that an int64_t holds */
  int64_t length = 0;
  size_t i;
  if (n == 0 || n > MOST_DIGITS || skip_digits(value, 0, n) != n)
    return true;
  for (i = 0; i < n; i++)
    length = length * 10 + (value[i] - '0');
  if (t->length >= 0 && t->length != length)
    return true;
  t->length = length;
  return false;
}

static bool is_name(const char *line, size_t n, const char *name) {
  size_t i;
  for (i = 0; i < n && name[i] != '\0'; i++)
    if (c66_lower(line[i]) != name[i])
      return false;
  return i == n && name[i] == '\0';
}

/* Takes a header that says where the body ends; false where two parties could differ in that. Not
 * every libcurl sees it where a blank stands before its colon, or it is folded. */
static bool take_framing(c66_transfer *t, const char *line, size_t name, const char *value,
                         size_t n) {
  bool is_length = is_name(line, name, "content-length");
  t->framing = is_length || is_name(line, name, "transfer-encoding");
  if (!t->framing)
    return true;
  if (line[name] != ':')
    return false;
  if (is_length)
    return !is_bad_length(t, value, n);
  t->coded = t->coded || !is_name(value, n, "chunked");
  return true;
}

/* A line folded the old way continues the value before it. */
static c66_abort_reason unfold(const c66_transfer *t, c66_buffer *head, const char *line,
                               size_t n) {
  size_t value = c66_skip_blanks(line, 0, n);
  c66_alloc reserved = c66_buffer_reserve(head, n + 1);
  if (head->len == 0 || t->framing)
    return C66_ABORT_NONSENSE;
  if (reserved != C66_ALLOC_OK)
    return reason_of(reserved);
  head->data[head->len - 1] = ' ';
  (void)c66_buffer_append(head, line + value, n - value);
  return reason_of(c66_buffer_append(head, "\n", 1));
}

/* Appends "name:value\n". */
static c66_abort_reason append_header(c66_transfer *t, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  size_t name = colon != NULL ? cut_blanks(line, (size_t)(colon - line)) : 0, value, i;
  c66_alloc reserved = c66_buffer_reserve(&t->head, n + 1);
  if (reserved != C66_ALLOC_OK)
    return reason_of(reserved);
  if (!c66_is_token(line, name))
    return C66_ABORT_NONSENSE;
  value = c66_skip_blanks(line, (size_t)(colon - line) + 1, n);
  if (!take_framing(t, line, name, line + value, n - value))
    return C66_ABORT_NONSENSE;
  for (i = 0; i < name; i++)
    t->head.data[t->head.len++] = c66_lower(line[i]);
  t->head.data[t->head.len++] = ':';
  (void)c66_buffer_append(&t->head, line + value, n - value);
  return reason_of(c66_buffer_append(&t->head, "\n", 1));
}

/* Beside a length, libcurl goes by any Transfer-Encoding, and others by "chunked" alone. */
static c66_abort_reason end_head(c66_transfer *t) {
  t->head_state = C66_HEAD_WHOLE;
  if (t->switched)
    return C66_ABORT_SWITCHED;
  return t->coded && t->length >= 0 ? C66_ABORT_NONSENSE : C66_ABORT_NONE;
}

c66_abort_reason c66_head_take(c66_transfer *t, const char *line, size_t n) {
  size_t end = cut_line_end(line, n), len = cut_blanks(line, end);
  if (n > t->max_head - t->head_seen)
    return C66_ABORT_HEAD_LIMIT;
  t->head_seen += n;
  if (t->head_state == C66_HEAD_WHOLE && !t->interim)
    return C66_ABORT_NONE; /* trailers are nobody's */
  if (t->head_state != C66_HEAD_OPEN)
    return begin_head(t, line, end) ? C66_ABORT_NONE : C66_ABORT_NONSENSE;
  if (end == 0)
    return end_head(t);
  if (line[0] == '\r') /* which ends the head for libcurl */
    return C66_ABORT_NONSENSE;
  return line[0] == ' ' || line[0] == '\t' ? unfold(t, &t->head, line, len)
                                           : append_header(t, line, len);
}
