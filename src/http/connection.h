/* connection.h - whether a kept-alive connection may take another request. */
#ifndef C66_CONNECTION_H
#define C66_CONNECTION_H

#include "http/http.h"

C66_BEGIN_DECLS

/* Sets the options by which libcurl asks before it uses a connection. Once the others are set: all
 * of this is about a transfer that is in an engine. */
CURLcode c66_connection_watch(c66_transfer *t);

/* Notes what the response that has begun speaks, for requests that follow it on its connection. */
void c66_connection_note_version(const c66_transfer *t, bool http1);

/* Frees the list. */
void c66_connections_free(c66_connections *connections);

C66_END_DECLS

#endif
