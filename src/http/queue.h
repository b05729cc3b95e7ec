/* queue.h - when a started transfer may be handed to libcurl. */
#ifndef C66_QUEUE_H
#define C66_QUEUE_H

#include "http/http.h"

C66_BEGIN_DECLS

typedef enum c66_admission {
  C66_ADMIT_NOW,        /* may go */
  C66_ADMIT_ALONE,      /* may go, and must not wait for another one's connection */
  C66_ADMIT_LATER,      /* no time for it in this run */
  C66_ADMIT_CONNECTING, /* waits for the first connection to its origin */
  C66_ADMIT_EXPIRED     /* its time is over */
} c66_admission;

/* The origin that was last seen connecting: for two hundred transfers that wait for it the running
 * ones are searched once. Starts as zeros. */
typedef struct c66_connecting {
  uint64_t origin; /* as c66_transfer.origin */
  bool known;
} c66_connecting;

/* Whether a waiting transfer may go, at the time `now` of c66_monotonic_us; however little time is
 * left in this run if `always`. The running ones are looked at, and may note that they are sent. */
c66_admission c66_queue_admission(const c66_engine *e, const c66_transfer *t, int64_t now,
                                  bool always, c66_connecting *last);

/* Milliseconds until a waiting transfer may have to be admitted or ended, `most` at most. */
int c66_queue_timeout(const c66_engine *e, int most);

C66_END_DECLS

#endif
