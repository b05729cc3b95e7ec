/* global.h - libcurl itself: set up once per process, and what the one that runs here can do. */
#ifndef C66_GLOBAL_H
#define C66_GLOBAL_H

#include "http/http.h"

C66_BEGIN_DECLS

/* Loads libcurl once per process. NULL, or static text: why it cannot be used. Safe to call at any
 * time, from any thread. */
const char *c66_http_load(void);

/* Whether libcurl's own CA bundle is there, so that its directory of CAs can be left out. */
bool c66_http_bundle_suffices(void);

/* Whether libcurl never raises SIGPIPE, whatever it writes to. */
bool c66_http_spares_sigpipe(void);

/* Whether a handle may serve another transfer. From 7.84 to 8.0 it remembers the last header of the
 * transfer before, which is freed by then, and writes there when a response begins with a folded line. */
bool c66_http_resets_handles(void);

/* Whether a session of libcurl's OpenSSL holds bytes that it has taken from its socket; false where
 * it cannot be asked. */
bool c66_http_has_pending(const void *ssl);

C66_END_DECLS

#endif
