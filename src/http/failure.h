/* failure.h - why a transfer has failed, as one of our kinds and a sentence that says what to do. */
#ifndef C66_FAILURE_H
#define C66_FAILURE_H

#include "http/http.h"

C66_BEGIN_DECLS

/* Fills t->failure from libcurl's result, the abort reason and the handle, which must still be there. */
void c66_failure_from_curl(c66_transfer *t, CURLcode result);

/* Whether libcurl takes for a response what is none: a head that was cut, or a change of protocols.
 * Fills t->failure then. */
bool c66_failure_of_response(c66_transfer *t);

/* Fills t->failure: no complete response within the time that the request gave. */
void c66_failure_late(c66_transfer *t);

/* Fills t->failure: "peer: what (detail)", cleaned of control characters; detail may be "". */
void c66_failure_set(c66_transfer *t, const char *kind, const char *what, const char *detail);

C66_END_DECLS

#endif
