/* queue.c - when a started transfer may be handed to libcurl.
 *
 * Most often at once. But opening a connection over TLS costs up to a millisecond, and a hundred at
 * once would hold up an event loop that calls us: what does not fit into the time of one run waits for
 * the next. And while the first connection to an origin is being made, the others wait for it: over
 * HTTP/2 they share it. */
#include "http/queue.h"
#include "base/system.h"

enum {
  OPENING_BUDGET = 2000,              /* microseconds, for new connections in one run */
  FIRST_CONNECTION_TIMEOUT = 1000000, /* microseconds that others wait for it */
};

typedef enum origin_state {
  ORIGIN_READY,      /* connected, or nobody is connecting */
  ORIGIN_CONNECTING, /* the first connection is being made */
  ORIGIN_OVERDUE     /* it has taken too long */
} origin_state;

/* The state of the transfer's origin; `since`: when the connection being made was begun. The newest
 * running transfers are looked at first: whether it stands now shows on them soonest. */
static origin_state state_of_origin(const c66_engine *e, const c66_transfer *t, int64_t now,
                                    int64_t *since) {
  origin_state found = ORIGIN_READY;
  c66_transfer *other;
  if (!t->shares)
    return ORIGIN_READY;
  for (other = e->running.last; other != NULL; other = other->prev) {
    if (!other->shares || other->origin != t->origin)
      continue;
    if (c66_transfer_is_sent(other))
      return ORIGIN_READY;
    if (now - other->admitted >= FIRST_CONNECTION_TIMEOUT)
      return ORIGIN_OVERDUE;
    found = ORIGIN_CONNECTING;
    *since = other->admitted;
  }
  return found;
}

/* Microseconds until its time is over; a very long one where it has all the time. */
static int64_t time_left(const c66_transfer *t, int64_t now) {
  return t->timeout > 0 ? t->started + (int64_t)t->timeout * 1000 - now : INT64_MAX;
}

static bool is_known_connecting(const c66_connecting *last, const c66_transfer *t) {
  return last->known && t->shares && t->origin == last->origin;
}

c66_admission c66_queue_admission(const c66_engine *e, const c66_transfer *t, int64_t now,
                                  bool always, c66_connecting *last) {
  int64_t since;
  if (time_left(t, now) <= 0)
    return C66_ADMIT_EXPIRED;
  if (is_known_connecting(last, t))
    return C66_ADMIT_CONNECTING;
  if (t->tls && e->opening >= OPENING_BUDGET && !always)
    return C66_ADMIT_LATER;
  switch (state_of_origin(e, t, now, &since)) {
  case ORIGIN_READY:
    return C66_ADMIT_NOW;
  case ORIGIN_OVERDUE:
    return C66_ADMIT_ALONE;
  case ORIGIN_CONNECTING:
    break;
  }
  last->origin = t->origin;
  last->known = true;
  return C66_ADMIT_CONNECTING;
}

int c66_queue_timeout(const c66_engine *e, int most) {
  const c66_transfer *t;
  c66_connecting last = {0, false};
  int64_t now, left = (int64_t)most * 1000, since = 0;
  if (e->waiting.first == NULL || most <= 0)
    return most;
  now = c66_monotonic_us();
  for (t = e->waiting.first; t != NULL; t = t->next) {
    int64_t mine = time_left(t, now);
    if (!is_known_connecting(&last, t)) {
      if (state_of_origin(e, t, now, &since) != ORIGIN_CONNECTING)
        return 0;
      last.origin = t->origin;
      last.known = true;
      if (since + FIRST_CONNECTION_TIMEOUT - now < left)
        left = since + FIRST_CONNECTION_TIMEOUT - now;
    }
    if (mine < left)
      left = mine;
  }
  return left > 0 ? (int)((left + 999) / 1000) : 0;
}
