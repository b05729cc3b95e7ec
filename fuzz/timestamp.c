/*
 * timestamp.c - fuzzes the reading of dates.
 *
 * What is accepted must be what the C library's calendar makes of it, and every date there is must
 * be accepted in every form.
 */
#include "json/timestamp.h"
#include "check.h"

#include <time.h>

enum { DAY = 86400, LONGEST = 64 };

/* From the first to the last second of the years 0 to 9999. */
static const int64_t first = -62167219200, last = 253402300799;

static int read_text(const char *bytes, size_t size, int64_t *seconds) {
  char *exact = need(malloc(size > 0 ? size : 1)); /* a date has no zero byte behind it */
  int64_t again = -1;
  int found;
  if (size > 0)
    memcpy(exact, bytes, size);
  *seconds = -1;
  found = c66_timestamp(exact, size, seconds);
  CHECK(found == 0 || found == 1);
  CHECK(c66_timestamp(exact, size, &again) == found && again == *seconds);
  free(exact);
  return found;
}

/* --- what is accepted --- */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int two(const char *p) {
  CHECK(is_digit(p[0]) && is_digit(p[1]));
  return (p[0] - '0') * 10 + (p[1] - '0');
}

/* The zone's seconds east of Greenwich, read backwards from the end of the text; *size shrinks to
 * what is before it. */
static int strip_zone(const char *text, size_t *size) {
  size_t sign = *size;
  int east = 0;
  if (*size > 3 &&
      (memcmp(text + *size - 3, "UTC", 3) == 0 || memcmp(text + *size - 3, "GMT", 3) == 0)) {
    *size -= 3;
  } else if (text[*size - 1] == 'Z' || text[*size - 1] == 'z') {
    *size -= 1;
  } else {
    while (sign > 0 && (is_digit(text[sign - 1]) || text[sign - 1] == ':'))
      sign--;
    if (sign > 11 && (text[sign - 1] == '+' || text[sign - 1] == '-')) {
      east = two(text + sign) * 3600;
      if (*size - sign > 2)
        east += two(text + *size - 2) * 60;
      CHECK(*size - sign == 2 || *size - sign == 4 || (*size - sign == 5 && text[sign + 2] == ':'));
      CHECK(east < DAY);
      if (text[sign - 1] == '-')
        east = -east;
      *size = sign - 1;
    }
  }
  if (text[*size - 1] == ' ')
    *size -= 1;
  return east;
}

static int64_t calendar(const char *text, size_t size) {
  struct tm tm;
  memset(&tm, 0, sizeof tm);
  tm.tm_year = two(text) * 100 + two(text + 2) - 1900;
  tm.tm_mon = two(text + 5) - 1;
  tm.tm_mday = two(text + 8);
  CHECK(text[4] == '-' && text[7] == '-');
  if (size > 10) {
    CHECK(size >= 16 && strchr("Tt ", text[10]) != NULL && text[13] == ':');
    tm.tm_hour = two(text + 11);
    tm.tm_min = two(text + 14);
    CHECK(tm.tm_hour < 24 && tm.tm_min < 60);
  }
  if (size > 16) {
    CHECK(size >= 19 && text[16] == ':');
    tm.tm_sec = two(text + 17);
    CHECK(tm.tm_sec <= 60);
  }
  if (size > 19) { /* a fraction, cut off */
    CHECK(size > 20 && (text[19] == '.' || text[19] == ','));
    CHECK(strspn(text + 20, "0123456789") >= size - 20);
  }
  return (int64_t)timegm(&tm);
}

static void write_full(int64_t seconds, char out[LONGEST]) {
  time_t t = (time_t)seconds;
  struct tm tm;
  CHECK(gmtime_r(&t, &tm) != NULL);
  (void)snprintf(out, LONGEST, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void check_accepted(const char *text, size_t size, int64_t seconds) {
  char full[LONGEST];
  size_t before = size;
  int east = size > 10 ? strip_zone(text, &before) : 0;
  struct tm day;
  time_t noon;
  CHECK(size >= 10);
  CHECK(seconds > first - DAY && seconds <= last + DAY + 1);
  CHECK(seconds == calendar(text, before) - east);
  /* timegm takes February 30 for a day of March. */
  noon = (time_t)calendar(text, 10);
  CHECK(gmtime_r(&noon, &day) != NULL && day.tm_mday == two(text + 8));
  if (seconds < first || seconds > last)
    return;
  write_full(seconds, full);
  if (size == 20 && text[10] == 'T' && text[19] == 'Z' && memcmp(text + 17, "60", 2) != 0)
    CHECK(memcmp(text, full, 20) == 0);
  CHECK(read_text(full, strlen(full), &seconds));
}

/* --- what must be accepted --- */

static void expect(const char *text, int64_t want) {
  int64_t seconds;
  CHECK(read_text(text, strlen(text), &seconds) && seconds == want);
}

/* The moment that the bytes stand for, in every form. */
static void check_moment(const uint8_t *data) {
  static const char *const zones[] = {"", "Z", "z", " UTC", " GMT", "UTC"};
  char full[LONGEST];
  char text[2 * LONGEST];
  uint64_t bits;
  int64_t seconds;
  int east = (data[0] % 24) * 60 + data[1] % 60;
  size_t i;
  memcpy(&bits, data, sizeof bits);
  seconds = first + (int64_t)(bits % (uint64_t)(last - first + 1));
  write_full(seconds, full);
  expect(full, seconds);
  full[19] = '\0';
  for (i = 0; i < sizeof zones / sizeof zones[0]; i++) {
    (void)snprintf(text, sizeof text, "%s%s", full, zones[i]);
    expect(text, seconds);
    (void)snprintf(text, sizeof text, "%s.%02d%s", full, data[2] % 100, zones[i]);
    text[10] = i % 2 == 0 ? ' ' : 't';
    expect(text, seconds);
    (void)snprintf(text, sizeof text, "%.16s%s", full, zones[i]);
    expect(text, seconds - (seconds % 60 + 60) % 60);
  }
  (void)snprintf(text, sizeof text, "%s+%02d:%02d", full, east / 60, east % 60);
  expect(text, seconds - east * 60);
  (void)snprintf(text, sizeof text, "%s -%02d%02d", full, east / 60, east % 60);
  expect(text, seconds + east * 60);
  (void)snprintf(text, sizeof text, "%s-%02d", full, east / 60);
  expect(text, seconds + east / 60 * 3600);
  full[10] = '\0';
  expect(full, seconds - (seconds % DAY + DAY) % DAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = copy_text(data, size);
  int64_t seconds;
  if (read_text(text, size, &seconds))
    check_accepted(text, size, seconds);
  if (size >= sizeof(uint64_t))
    check_moment(data);
  free(text);
  return 0;
}
