/* timestamp.c - date text to Unix seconds. */
#include "json/timestamp.h"
#include "base/ascii.h"

#include <string.h>

typedef struct moment {
  int year;
  int month;
  int day;
  int hour;
  int minute;
  int second;
} moment;

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
    if (!c66_is_digit(c))
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
  int64_t leaps = y >= 0 ? y / 4 - y / 100 + y / 400 : -1; /* of year -1: each rounded down */
  return 365 * y + leaps + (153 * m + 2) / 5 + (day - 1) - 719468;
}

/* Unix seconds of a moment in UTC, or 0 when there is none such. */
static int to_seconds(const moment *m, int64_t *seconds) {
  int clock = m->hour * 3600 + m->minute * 60 + m->second;
  if (m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_in_month(m->year, m->month))
    return 0;
  if (m->hour > 23 || m->minute > 59 || m->second > 60)
    return 0;
  *seconds = days_from_epoch(m->year, m->month, m->day) * 86400 + clock;
  return 1;
}

/* --- any form --- */

static int read_date(reader *r, moment *m) {
  return number(r, 4, &m->year) && accept(r, '-') && number(r, 2, &m->month) && accept(r, '-') &&
         number(r, 2, &m->day);
}

static int read_fraction(reader *r) {
  int ignored;
  if (!accept(r, '.') && !accept(r, ','))
    return 1;
  if (!number(r, 1, &ignored))
    return 0;
  while (r->p < r->end && c66_is_digit(*r->p))
    r->p++;
  return 1;
}

static int read_clock(reader *r, moment *m) {
  if (!number(r, 2, &m->hour) || !accept(r, ':') || !number(r, 2, &m->minute))
    return 0;
  return !accept(r, ':') || (number(r, 2, &m->second) && read_fraction(r));
}

/* Z, +hh:mm, +hhmm, +hh, " UTC", " GMT", " +hh:mm", or none. `offset` is what to subtract, in
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

/* --- the form of almost all dates of the API --- */

/* The value of two digits; negative when they are none. */
static int two_digits(const char *p) {
  unsigned tens = (unsigned)(unsigned char)p[0] - '0';
  unsigned ones = (unsigned)(unsigned char)p[1] - '0';
  return tens > 9 || ones > 9 ? -1 : (int)(tens * 10 + ones);
}

/* YYYY-MM-DDTHH:MM:SSZ */
static int read_common(const char *p, moment *m) {
  int century = two_digits(p);
  int year = two_digits(p + 2);
  if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':' || p[19] != 'Z')
    return 0;
  m->year = century * 100 + year;
  m->month = two_digits(p + 5);
  m->day = two_digits(p + 8);
  m->hour = two_digits(p + 11);
  m->minute = two_digits(p + 14);
  m->second = two_digits(p + 17);
  return (century | year | m->month | m->day | m->hour | m->minute | m->second) >= 0;
}

int c66_timestamp(const char *text, size_t length, int64_t *seconds) {
  moment common;
  moment m = {0, 0, 0, 0, 0, 0};
  reader r;
  int offset = 0;
  if (length == 20 && read_common(text, &common))
    return to_seconds(&common, seconds);
  r.p = text;
  r.end = text + length;
  if (!read_date(&r, &m))
    return 0;
  if ((accept(&r, 'T') || accept(&r, 't') || accept(&r, ' ')) &&
      (!read_clock(&r, &m) || !read_zone(&r, &offset)))
    return 0;
  if (r.p != r.end || !to_seconds(&m, seconds))
    return 0;
  *seconds -= offset;
  return 1;
}
