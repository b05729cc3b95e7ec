/* transfer.h - one exchange, for those who drive it. */
#ifndef C66_TRANSFER_H
#define C66_TRANSFER_H

#include "http/http.h"

C66_BEGIN_DECLS

/* Takes over the handle, which may be NULL where there was no memory for one, and sets all options
 * of the request. */
CURLcode c66_transfer_prepare(c66_transfer *t, CURL *easy, const c66_request *request);

/* Sets the options that are known only when libcurl is about to have it: what is left of its timeout
 * at `now` (c66_monotonic_us), and whether it waits for a connection that it can share. */
CURLcode c66_transfer_update(c66_transfer *t, int64_t now, bool waits_for_connection);

/* Makes one that has not been sent ready to be started again, on a connection of its own. */
void c66_transfer_reconnect(c66_transfer *t);

/* Takes the status and the like from the handle of a complete response. */
void c66_transfer_note_response(c66_transfer *t);

/* Wipes and frees the header lines to send. */
void c66_transfer_forget_request(c66_transfer *t);

/* Frees what has come of headers and body. */
void c66_transfer_drop_response(c66_transfer *t);

C66_END_DECLS

#endif
