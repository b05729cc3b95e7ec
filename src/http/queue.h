/* queue.h - when a started transfer may be handed to libcurl. */
#ifndef C66_QUEUE_H
#define C66_QUEUE_H

#include "http/http.h"

C66_BEGIN_DECLS

typedef enum c66_offer {
  C66_OFFER_FREE,    /* may go */
  C66_OFFER_STUCK,   /* may go, and must not wait for another one's connection */
  C66_OFFER_LATER,   /* no time for it now */
  C66_OFFER_SCOUTED, /* waits for the connection that another one makes */
  C66_OFFER_LATE     /* its time is over */
} c66_offer;

/* The place found scouted last: two hundred that wait for it have the same answer, which is looked
 * for once. Starts as zeros. */
typedef struct c66_last_look {
  uint64_t place;
  bool scouted;
} c66_last_look;

/* Whether a waiting transfer may go, at the time `now` of c66_monotonic_us; however little time is
 * left in this run if `always`. Those that run are looked at, and may note that they are sent. */
c66_offer c66_queue_offer(const c66_engine *e, const c66_transfer *t, int64_t now, bool always,
                          c66_last_look *last);

/* Milliseconds that may pass before that is asked again of those that wait, `most` at most. */
int c66_queue_patience(const c66_engine *e, int most);

C66_END_DECLS

#endif
