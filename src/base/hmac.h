/* hmac.h - HMAC-SHA-256 (RFC 2104 with the hash of FIPS 180-4).
 *
 * Without a library, since the core links none; without allocation. */
#ifndef C66_HMAC_H
#define C66_HMAC_H

#include "base/base.h"

C66_BEGIN_DECLS

#define C66_HMAC_SIZE 32 /* bytes of a code */

/* Writes the code of the message under the key. Both may be empty; what was made of the key is wiped
 * from the stack. */
void c66_hmac(const void *key, size_t key_length, const void *message, size_t length,
              unsigned char code[C66_HMAC_SIZE]);

C66_END_DECLS

#endif
