/* poll.h - waiting for sockets and for libcurl's timer. */
#ifndef C66_POLL_H
#define C66_POLL_H

#include "http/http.h"

C66_BEGIN_DECLS

/* Between curl_multi_init and the first transfer. */
CURLMcode c66_poll_open(c66_engine *e);

/* After curl_multi_cleanup, which still takes its sockets away. Idempotent. */
void c66_poll_close(c66_engine *e);

/* Waits at most `wait_ms` for something to do, and lets libcurl do it. */
CURLMcode c66_poll_turn(c66_engine *e, int wait_ms);

/* Lets libcurl do what it has to do by now, sockets apart. */
CURLMcode c66_poll_serve_timers(c66_engine *e);

C66_END_DECLS

#endif
