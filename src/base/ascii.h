/* ascii.h - classes and case of ASCII characters.
 *
 * Not those of ctype.h, which asks the locale and takes no negative char. */
#ifndef C66_ASCII_H
#define C66_ASCII_H

#include "base/base.h"

#include <stdbool.h>
#include <string.h>

static inline bool c66_is_digit(char c) { return (unsigned)c - '0' <= 9; }

/* A character that moves no cursor: not a control character, not beyond ASCII. */
static inline bool c66_is_printable(char c) { return c >= ' ' && c <= '~'; }

/* The place of the first character that is neither a space nor a tab; n where there is none. */
static inline size_t c66_skip_blanks(const char *s, size_t from, size_t n) {
  while (from < n && (s[from] == ' ' || s[from] == '\t'))
    from++;
  return from;
}

/* RFC 9110's "token": methods and header names. */
static inline bool c66_is_token(const char *s, size_t n) {
  static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  size_t i;
  for (i = 0; i < n; i++)
    if (memchr(allowed, s[i], sizeof allowed - 1) == NULL)
      return false;
  return n > 0;
}

static inline char c66_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

#endif
