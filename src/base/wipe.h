/* wipe.h - zeros over secrets that are no longer needed. */
#ifndef C66_WIPE_H
#define C66_WIPE_H

#include "base/base.h"

/* The compiler may leave out a plain memset() of what is not read again. */
static inline void c66_wipe(void *bytes, size_t n) {
  volatile unsigned char *at = bytes;
  while (n-- > 0)
    *at++ = 0;
}

#endif
