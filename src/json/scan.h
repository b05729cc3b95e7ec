/* scan.h - running over the plain part of a string, and comparing texts, many bytes at a time.
 *
 * Inlined where strings and deployments are read. */
#ifndef C66_SCAN_H
#define C66_SCAN_H

#include "base/base.h"

#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__)
#define C66_SSE2 1
#include <emmintrin.h>
#else
#define C66_SSE2 0
#endif

static inline uint64_t c66_load8(const char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

static inline uint64_t c66_differ16(const char *a, const char *b) {
  return (c66_load8(a) ^ c66_load8(b)) | (c66_load8(a + 8) ^ c66_load8(b + 8));
}

/*
 * memcmp(a, b, n) == 0 for short texts without a call: two words from the front and two from the
 * back, which may overlap them.
 */
static inline int c66_same(const char *a, const char *b, size_t n) {
  if (n - 8 <= 8) /* 8 to 16; less wraps around */
    return ((c66_load8(a) ^ c66_load8(b)) | (c66_load8(a + n - 8) ^ c66_load8(b + n - 8))) == 0;
  if (n - 17 <= 15) /* to 32 */
    return (c66_differ16(a, b) | c66_differ16(a + n - 16, b + n - 16)) == 0;
  if (n - 33 <= 31) /* to 64 */
    return (c66_differ16(a, b) | c66_differ16(a + 16, b + 16) |
            c66_differ16(a + n - 32, b + n - 32) | c66_differ16(a + n - 16, b + n - 16)) == 0;
  return memcmp(a, b, n) == 0;
}

/* Whether string reading has to look at this byte: quote, backslash, control character, not ASCII.
 */
static inline int c66_is_special(char c) {
  unsigned char u = (unsigned char)c;
  return u == '"' || u == '\\' || u < ' ' || u >= 0x80;
}

#if C66_SSE2

/* The first special byte from `p` on. The zero byte at `end` is one, so there always is one. */
static inline const char *c66_plain_run(const char *p, const char *end) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(' ');
  while (end - p >= 16) {
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed and saturating: control characters, and bytes from 0x80 on, which are negative, get
     * the top bit that movemask looks at. */
    __m128i low = _mm_subs_epi8(block, space);
    __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash));
    int mask = _mm_movemask_epi8(_mm_or_si128(low, mark));
    if (mask != 0)
      return p + __builtin_ctz((unsigned)mask);
    p += 16;
  }
  while (!c66_is_special(*p))
    p++;
  return p;
}

#else

/* The same with eight bytes in a word: each test leaves the top bit of a byte set that it holds
 * for. */
static inline const char *c66_plain_run(const char *p, const char *end) {
  const uint64_t ones = 0x0101010101010101U;
  const uint64_t tops = 0x8080808080808080U;
  while (end - p >= 8) {
    uint64_t word;
    uint64_t quote;
    uint64_t backslash;
    memcpy(&word, p, sizeof word);
    quote = word ^ (ones * '"');
    backslash = word ^ (ones * '\\');
    /* (x - n) carries into the top bit of bytes below n; a false alarm only ends the fast part
     * early */
    if (((word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & tops) != 0)
      break;
    p += 8;
  }
  while (!c66_is_special(*p))
    p++;
  return p;
}

#endif

#endif
