/* decoder.h - JSON to a page of deployments.
 *
 * deployment.c reads one deployment, memo.c its {code, meaning} pairs, envelope.c what is around the
 * deployments. */
#ifndef C66_DECODER_H
#define C66_DECODER_H

#include "base/buffer.h"
#include "deployment/page.h"
#include "json/walk.h"

C66_BEGIN_DECLS

enum {
  C66_KEY_TEMPLATES = C66_FIELD_COUNT + 8, /* keys of an object that have one */
  C66_TEMPLATE_BYTES = 60,                 /* at most: a key, its colon, indentation */
  C66_MEMO_WORDS = 12,                     /* a remembered word has at most 96 bytes */
  C66_MEMO_BITS = 5,                       /* words are remembered by so many bits of a hash ... */
  C66_MEMO_WAYS = 2                        /* ... as many words for each hash */
};

/*
 * What stood between two values of the object before, such as `, "git_hash": `: where the same bytes
 * stand again, comma, white space, key and colon are checked and read in one comparison.
 */
typedef struct c66_key_template {
  char bytes[C66_TEMPLATE_BYTES];
  unsigned char length; /* 0: nothing is remembered */
  unsigned char field;  /* c66_field_id */
  unsigned char type;   /* c66_type of the field */
  unsigned char slot;   /* of the field */
} c66_key_template;

/* A {code, meaning} seen before, in this page or an earlier one. */
typedef struct c66_memo {
  char bytes[C66_MEMO_WORDS * 8];
  c66_word word;   /* offsets from the start of these bytes */
  uint32_t page;   /* c66_decoder.page in which ... */
  uint16_t number; /* ... it has this number (as c66_record.words) */
} c66_memo;

/* Scratch memory and what was learned, kept from page to page; one per lua_State. */
typedef struct c66_decoder {
  c66_json json;
  c66_buffer records;                                /* of c66_record */
  c66_buffer words;                                  /* of c66_word */
  c66_key_template templates[C66_KEY_TEMPLATES + 1]; /* by position; the last is for all behind */
  unsigned misses;                                   /* templates of this page that did not fit */
  c66_memo memos[C66_WORD_SLOTS][1 << C66_MEMO_BITS][C66_MEMO_WAYS];
  unsigned char memo_key[C66_WORD_SLOTS]; /* where in a word's bytes those to hash begin */
  uint32_t page;                          /* counts pages, from 1 */
  c66_pagination pagination;
  const char *object; /* the deployment being read */
  int depth;          /* arrays and objects open around the deployment being read */
} c66_decoder;

void c66_decoder_init(c66_decoder *d);
void c66_decoder_free(c66_decoder *d); /* safe to call twice */

/* Gives back scratch memory beyond what an ordinary page needs. */
void c66_decoder_trim(c66_decoder *d);

/*
 * Decodes a list envelope, a single envelope, a bare array or a bare object. `text` is followed by
 * a zero byte. On C66_FAIL the error's kind is "decode", "too_large" or "memory".
 */
c66_status c66_decode(c66_decoder *d, const char *text, size_t length, c66_error *error);

/* Bytes the page just decoded needs, and the page built there; it points into the text. */
size_t c66_page_size(const c66_decoder *d);
c66_page *c66_page_build(const c66_decoder *d, void *memory);

/* --- between the three files --- */

/* Reads the object at `p` and appends its record. */
const char *c66_read_deployment(c66_decoder *d, const char *p);

/* Reads a value of type C66_WORD into the record. */
const char *c66_read_word(c66_decoder *d, const char *p, const c66_field *f, c66_record *r);

C66_END_DECLS

#endif
