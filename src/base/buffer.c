/* buffer.c - growable bytes with a hard limit. */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void c66_buffer_init(c66_buffer *b, size_t limit) {
  b->data = NULL;
  b->len = 0;
  b->cap = 0;
  b->limit = limit;
}

c66_alloc c66_buffer_reserve(c66_buffer *b, size_t extra) {
  size_t cap = b->cap;
  size_t need;
  char *data;
  if (extra > b->limit || b->len > b->limit - extra)
    return C66_ALLOC_LIMIT;
  need = b->len + extra;
  if (need <= cap)
    return C66_ALLOC_OK;
  if (cap < FIRST_CAPACITY)
    cap = FIRST_CAPACITY;
  while (cap < need)
    cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  if (cap > b->limit)
    cap = b->limit;
  data = realloc(b->data, cap);
  if (data == NULL)
    return C66_ALLOC_MEMORY;
  b->data = data;
  b->cap = cap;
  return C66_ALLOC_OK;
}

c66_alloc c66_buffer_append(c66_buffer *b, const void *bytes, size_t n) {
  c66_alloc reserved = c66_buffer_reserve(b, n);
  if (reserved != C66_ALLOC_OK)
    return reserved;
  if (n > 0)
    memcpy(b->data + b->len, bytes, n);
  b->len += n;
  return C66_ALLOC_OK;
}

void c66_buffer_trim(c66_buffer *b, size_t keep) {
  b->len = 0;
  if (b->cap > keep)
    c66_buffer_free(b);
}

void c66_buffer_free(c66_buffer *b) {
  char *data = b->data;
  b->data = NULL;
  b->len = 0;
  b->cap = 0;
  free(data);
}
