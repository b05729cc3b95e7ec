/* head.h - the head of a response, line by line. */
#ifndef C66_HEAD_H
#define C66_HEAD_H

#include "http/http.h"

C66_BEGIN_DECLS

/*
 * Takes a line of a head, of an interim response or of trailers, as libcurl gives it. libcurl is
 * lenient: a line that may be read in two ways, so that two parties could take different bytes for
 * the end of the response, is a reason to give up.
 */
c66_abort_reason c66_head_take(c66_transfer *t, const char *line, size_t n);

C66_END_DECLS

#endif
