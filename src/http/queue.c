/* queue.c - when a started transfer may be handed to libcurl.
 *
 * Most often at once. But opening a connection over TLS costs up to a millisecond, and a hundred at
 * once would hold up an event loop that calls us: what does not fit into the time of one run waits for
 * the next. And while the first connection to a place is being made, the others wait for it: over
 * HTTP/2 they share it. */
#include "http/queue.h"
#include "base/system.h"

enum {
  OPENING_BUDGET = 2000,    /* microseconds, for new connections in one run */
  SCOUT_PATIENCE = 1000000, /* microseconds that others wait for the first connection to a place */
};

typedef enum road { ROAD_FREE, ROAD_SCOUTED, ROAD_STUCK } road;

/*
 * The way to the transfer's place: free to go, being scouted by another transfer, or that one has
 * taken too long. `since`: when it set out. The newest come first, since they know best.
 */
static road look_ahead(const c66_engine *e, const c66_transfer *t, int64_t now, int64_t *since) {
  road found = ROAD_FREE;
  c66_transfer *other;
  if (!t->shares)
    return ROAD_FREE;
  for (other = e->running.last; other != NULL; other = other->prev) {
    if (!other->shares || other->place != t->place)
      continue;
    if (c66_transfer_is_sent(other))
      return ROAD_FREE;
    if (now - other->admitted >= SCOUT_PATIENCE)
      return ROAD_STUCK;
    found = ROAD_SCOUTED;
    *since = other->admitted;
  }
  return found;
}

/* Microseconds until its time is over; a very long one where it has all the time. */
static int64_t time_left(const c66_transfer *t, int64_t now) {
  return t->timeout > 0 ? t->started + (int64_t)t->timeout * 1000 - now : INT64_MAX;
}

static bool is_known_scouted(const c66_last_look *last, const c66_transfer *t) {
  return last->scouted && t->shares && t->place == last->place;
}

c66_offer c66_queue_offer(const c66_engine *e, const c66_transfer *t, int64_t now, bool always,
                          c66_last_look *last) {
  int64_t since;
  if (time_left(t, now) <= 0)
    return C66_OFFER_LATE;
  if (is_known_scouted(last, t))
    return C66_OFFER_SCOUTED;
  if (t->tls && e->opening >= OPENING_BUDGET && !always)
    return C66_OFFER_LATER;
  switch (look_ahead(e, t, now, &since)) {
  case ROAD_FREE:
    return C66_OFFER_FREE;
  case ROAD_STUCK:
    return C66_OFFER_STUCK;
  case ROAD_SCOUTED:
    break;
  }
  last->place = t->place;
  last->scouted = true;
  return C66_OFFER_SCOUTED;
}

int c66_queue_patience(const c66_engine *e, int most) {
  const c66_transfer *t;
  c66_last_look last = {0, false};
  int64_t now, left = (int64_t)most * 1000, since = 0;
  if (e->waiting.first == NULL || most <= 0)
    return most;
  now = c66_monotonic_us();
  for (t = e->waiting.first; t != NULL; t = t->next) {
    int64_t mine = time_left(t, now);
    if (!is_known_scouted(&last, t)) {
      if (look_ahead(e, t, now, &since) != ROAD_SCOUTED)
        return 0;
      last.place = t->place;
      last.scouted = true;
      if (since + SCOUT_PATIENCE - now < left)
        left = since + SCOUT_PATIENCE - now;
    }
    if (mine < left)
      left = mine;
  }
  return left > 0 ? (int)((left + 999) / 1000) : 0;
}
