/* check.h - what the fuzzing harnesses share: claims, and texts whose neighbours nobody may read.
 */
#ifndef C66_FUZZ_CHECK_H
#define C66_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program, so that libFuzzer keeps the input. Never compiled out, unlike assert. */
#define CHECK(claim)                                                                               \
  do {                                                                                             \
    if (!(claim)) {                                                                                \
      (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                    \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

static inline void *need(void *block) {
  CHECK(block != NULL);
  return block;
}

/* A copy with the zero byte that every text has behind it, and with nothing behind that. */
static inline char *copy_text(const void *bytes, size_t size) {
  char *text = need(malloc(size + 1));
  if (size > 0)
    memcpy(text, bytes, size);
  text[size] = '\0';
  return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
