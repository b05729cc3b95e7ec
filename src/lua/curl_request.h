/* curl_request.h - a request as a Lua table, to a request of http.h. */
#ifndef C66_CURL_REQUEST_H
#define C66_CURL_REQUEST_H

#include "http/http.h"
#include "lua/compat.h"

C66_BEGIN_DECLS

enum { C66_REQUEST = 2 }; /* stack index of the table: engine:start(request) */

/*
 * [-0, +5] Reads the table at C66_REQUEST into `request`, whose texts stay alive on the stack; where
 * the URL leads, and the header lines, go into the transfer. Raises where it is no request.
 */
void c66_read_request(lua_State *L, c66_transfer *t, c66_request *request);

C66_END_DECLS

#endif
