/* timestamp.c - floor 1: date text to Unix seconds. */
#include "timestamp.h"

#include <string.h>

typedef struct reader {
  const char *p;
  const char *end;
} reader;

/* Reads exactly `count` digits. */
static int number(reader *r, int count, int *out) {
  int value = 0;
  if (r->end - r->p < count)
    return 0;
  while (count-- > 0) {
    char c = *r->p++;
    if (c < '0' || c > '9')
      return 0;
    value = value * 10 + (c - '0');
  }
  *out = value;
  return 1;
}

static int accept(reader *r, char c) {
  if (r->p == r->end || *r->p != c)
    return 0;
  r->p++;
  return 1;
}

static int days_in_month(int year, int month) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar, by years that begin in March. */
static int64_t days_from_epoch(int year, int month, int day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int m = month <= 2 ? month + 9 : month - 3;
  int64_t leaps = y >= 0 ? y / 4 - y / 100 + y / 400 : -1; /* floor division of -1 */
  return 365 * y + leaps + (153 * m + 2) / 5 + (day - 1) - 719468;
}

static int read_date(reader *r, int64_t *days) {
  int year;
  int month;
  int day;
  if (!number(r, 4, &year) || !accept(r, '-') || !number(r, 2, &month) || !accept(r, '-') ||
      !number(r, 2, &day))
    return 0;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
    return 0;
  *days = days_from_epoch(year, month, day);
  return 1;
}

static int read_fraction(reader *r) {
  int ignored;
  if (!accept(r, '.') && !accept(r, ','))
    return 1;
  if (!number(r, 1, &ignored))
    return 0;
  while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
    r->p++;
  return 1;
}

static int read_clock(reader *r, int64_t *seconds) {
  int hour;
  int minute;
  int second = 0;
  if (!number(r, 2, &hour) || !accept(r, ':') || !number(r, 2, &minute))
    return 0;
  if (accept(r, ':') && (!number(r, 2, &second) || !read_fraction(r)))
    return 0;
  if (hour > 23 || minute > 59 || second > 60)
    return 0;
  *seconds = hour * 3600 + minute * 60 + second;
  return 1;
}

/* Z, +hh:mm, +hhmm, +hh, " UTC", " GMT", " +hh:mm", or nothing. `offset` is what to subtract, in
 * seconds. */
static int read_zone(reader *r, int *offset) {
  int sign;
  int hours;
  int minutes = 0;
  *offset = 0;
  (void)accept(r, ' ');
  if (r->p == r->end)
    return r->p[-1] != ' ';
  if (r->end - r->p == 3 && (memcmp(r->p, "UTC", 3) == 0 || memcmp(r->p, "GMT", 3) == 0)) {
    r->p += 3;
    return 1;
  }
  if (accept(r, 'Z') || accept(r, 'z'))
    return 1;
  sign = *r->p == '-' ? -1 : 1;
  if (!accept(r, '+') && !accept(r, '-'))
    return 0;
  if (!number(r, 2, &hours))
    return 0;
  if ((accept(r, ':') || r->p != r->end) && !number(r, 2, &minutes))
    return 0;
  if (hours > 23 || minutes > 59)
    return 0;
  *offset = sign * (hours * 3600 + minutes * 60);
  return 1;
}

int c66_timestamp(const char *text, size_t length, int64_t *seconds) {
  reader r;
  int64_t days;
  int64_t clock = 0;
  int offset = 0;
  r.p = text;
  r.end = text + length;
  if (!read_date(&r, &days))
    return 0;
  if (accept(&r, 'T') || accept(&r, 't') || accept(&r, ' ')) {
    if (!read_clock(&r, &clock) || !read_zone(&r, &offset))
      return 0;
  }
  if (r.p != r.end)
    return 0;
  *seconds = days * 86400 + clock - offset;
  return 1;
}
