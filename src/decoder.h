/*
 * decoder.h - floor 2: JSON to a page of deployments. No lua.h, no curl.h.
 *
 * deployment.c reads one deployment, word.c its {code, meaning} pairs, envelope.c what is around
 * the deployments.
 */
#ifndef C66_DECODER_H
#define C66_DECODER_H

#include "buffer.h"
#include "deployment.h"

C66_BEGIN_DECLS

enum {
  C66_PLACES = C66_FIELD_COUNT * 2, /* keys of an object whose order is remembered */
  C66_RECENT_WORDS = 8              /* distinct words remembered per slot */
};

/* Scratch memory, reused from page to page; one per lua_State. */
typedef struct c66_decoder {
  c66_json json;
  c66_buffer records;              /* of c66_record */
  c66_buffer words;                /* of c66_word */
  unsigned char order[C66_PLACES]; /* the field last seen at each place of an object */
  uint32_t recent[C66_WORD_SLOTS][C66_RECENT_WORDS]; /* as c66_record.words, newest first; 0 ends */
  c66_pagination pagination;
  int depth; /* arrays and objects open around the deployment being read */
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

/* Bytes the page just decoded needs, and the page built there; the text is copied into it. */
size_t c66_page_size(const c66_decoder *d);
c66_page *c66_page_build(const c66_decoder *d, void *memory);

/* --- between the three files --- */

/* Reads the object at `p` and appends its record. */
const char *c66_read_deployment(c66_decoder *d, const char *p);

/* Reads a value of type C66_WORD; `out` as c66_record.words. */
const char *c66_read_word(c66_decoder *d, const char *p, const c66_field *f, uint32_t *out);

const char *c66_out_of_memory(const c66_decoder *d); /* NULL, as the other readers' failures */
c66_ref c66_make_ref(const c66_decoder *d, const char *start, size_t length);
c66_ref c66_span_ref(const c66_decoder *d, const c66_span *span);
c66_ref c66_no_ref(c66_nothing why);

C66_END_DECLS

#endif
