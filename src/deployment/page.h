/* page.h - how a page of deployments lies in memory.
 *
 * Its records and words are one block, beside the body that they point into. */
#ifndef C66_PAGE_H
#define C66_PAGE_H

#include "deployment/model.h"

C66_BEGIN_DECLS

/* Bytes of the body. */
typedef struct c66_ref {
  uint32_t offset; /* 0: none */
  uint32_t length; /* without C66_ESCAPED */
} c66_ref;

#define C66_ESCAPED 0x80000000U /* in c66_ref.length: the text holds backslashes */

/* Bytes of a record's object, by where they start in it. Offset 0 is its brace, so it marks "none",
 * and length says why (c66_missing_reason). */
typedef struct c66_short_ref {
  uint16_t offset;
  uint16_t length; /* without C66_SHORT_ESCAPED */
} c66_short_ref;

#define C66_SHORT_ESCAPED 0x8000U
#define C66_SHORT_LIMIT 0x8000U /* bytes: an object of fewer is in reach of short references */

/* Why a text or a word is missing. */
typedef enum c66_missing_reason {
  C66_ABSENT, /* the key was not sent */
  C66_NULL,   /* it was null */
  C66_DRIFT,  /* it has a JSON type the model does not expect */
  C66_FIRST_WORD
} c66_missing_reason;

#define C66_MOST_WORDS 0xF000U /* distinct words of a page */

/* What is known of a boolean field, or of the id. Three bits each in c66_record.states. */
typedef enum c66_state {
  C66_STATE_ABSENT,
  C66_STATE_NULL,
  C66_STATE_DRIFT,
  C66_STATE_FALSE,
  C66_STATE_TRUE,
  C66_STATE_INTEGER = C66_STATE_FALSE, /* the id fits int64_t */
  C66_STATE_DIGITS = C66_STATE_TRUE    /* the id is whole and larger: look it up in the body */
} c66_state;

/*
 * c66_state of each slot, and C66_OVERSIZE: the object is larger than short references reach, or has
 * a word too many for the list, so that texts and words are looked up in the body when they are read.
 */
#if C66_FIELDS(C66_ONE_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_ONE_ROW) 0 <= 5
typedef uint16_t c66_states;
#define C66_OVERSIZE 0x8000U
#else
typedef uint32_t c66_states;
#define C66_OVERSIZE 0x80000000U
#endif

/* One deployment, and no copy of any text. With 18 keys 64 bytes, a cache line. */
typedef struct c66_record {
  int64_t id;
  uint32_t offset; /* of the object in the body */
  uint32_t length; /* bytes, braces included */
  c66_short_ref texts[C66_TEXT_SLOTS];
  uint16_t
      words[C66_WORD_SLOTS]; /* C66_FIRST_WORD + index into the page's, or c66_missing_reason */
  c66_states states;
} c66_record;

/* Which part of {code, meaning} is the machine word; a bare text is kept as the code. */
typedef enum c66_word_source {
  C66_NO_WORD,
  C66_WORD_IS_CODE,
  C66_WORD_IS_MEANING,
  C66_WORD_IS_BARE
} c66_word_source;

/* C99 has no static assertion: an array of negative size does as well. */
typedef char c66_states_fit[C66_STATE_SLOTS <= 5 * sizeof(c66_states) / sizeof(uint16_t) ? 1 : -1];

/* A distinct {code, meaning} (or bare word) of a page, as sent. */
typedef struct c66_word {
  c66_ref raw;     /* the whole value */
  c66_ref code;    /* text content, or a number's digits */
  c66_ref meaning; /* text content */
  uint8_t code_is_number;
  uint8_t source; /* c66_word_source */
  int8_t known;   /* index into the field's documented words, or -1 */
  uint8_t slot;   /* of the field */
} c66_word;

#define C66_NO_NUMBER INT64_MIN

typedef struct c66_pagination {
  int64_t current; /* C66_NO_NUMBER where not sent */
  int64_t next;
  int64_t previous;
  int64_t pages;
  int64_t total; /* deployments on all pages */
} c66_pagination;

typedef struct c66_page {
  const c66_record *records;
  const c66_word *words;
  const char *body; /* not owned: must live as long as the page; followed by a zero byte */
  size_t length;    /* of body, bytes */
  uint32_t count;
  c66_pagination pagination;
} c66_page;

static inline c66_state c66_get_state(const c66_record *r, unsigned slot) {
  return (c66_state)((r->states >> (3 * slot)) & 7U);
}

C66_END_DECLS

#endif
