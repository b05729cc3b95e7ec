/* buffer.h - growable bytes with a hard limit. */
#ifndef C66_BUFFER_H
#define C66_BUFFER_H

#include "base/base.h"

C66_BEGIN_DECLS

/* Zero-initialised is a valid empty buffer that takes no byte; set `limit` before use. The struct
 * owns `data`. */
typedef struct c66_buffer {
  char *data;
  size_t len;
  size_t cap;
  size_t limit; /* bytes; `cap` never goes beyond it */
} c66_buffer;

/* Whether the memory was got. */
typedef enum c66_alloc {
  C66_ALLOC_OK = 0,
  C66_ALLOC_LIMIT, /* more than `limit` */
  C66_ALLOC_MEMORY /* more than the system has */
} c66_alloc;

void c66_buffer_init(c66_buffer *b, size_t limit);

/* Allocates so that `extra` more bytes fit after `len`. On failure the buffer is as it was. */
c66_alloc c66_buffer_reserve(c66_buffer *b, size_t extra);

/* Appends a copy of `n` bytes. On failure the buffer is as it was. */
c66_alloc c66_buffer_append(c66_buffer *b, const void *bytes, size_t n);

/* Gives the memory back when more than `keep` bytes are held, and forgets the content. */
void c66_buffer_trim(c66_buffer *b, size_t keep);

/* Frees; safe to call twice. */
void c66_buffer_free(c66_buffer *b);

C66_END_DECLS

#endif
