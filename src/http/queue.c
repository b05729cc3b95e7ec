/* http_queue.c - when a started transfer is handed to libcurl.
 *
 * Most often at once. But opening a connection over TLS costs up to a millisecond, and a hundred at
 * once would hold up an event loop that calls us: what does not fit into the time of one run waits for
 * the next. And while the first connection to a place is being made, the others wait for it: over
 * HTTP/2 they share it. */
#include "base/system.h"
#include "http/http.h"

enum {
  OPENING_BUDGET = 2000,    /* microseconds, for new connections in one run */
  SCOUT_PATIENCE = 1000000, /* microseconds that others wait for the first connection to a place */
};

void c66_list_append(c66_transfer_list *list, c66_transfer *t) {
  t->next = NULL;
  t->prev = list->last;
  if (list->last != NULL)
    list->last->next = t;
  else
    list->first = t;
  list->last = t;
}

void c66_list_remove(c66_transfer_list *list, c66_transfer *t) {
  if (t->prev != NULL)
    t->prev->next = t->next;
  else
    list->first = t->next;
  if (t->next != NULL)
    t->next->prev = t->prev;
  else
    list->last = t->prev;
  t->next = t->prev = NULL;
}

bool c66_transfer_is_sent(c66_transfer *t) {
  curl_off_t since = 0;
  if (!t->sent && t->admitted >= 0 && t->easy != NULL)
    t->sent =
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &since) == CURLE_OK && since > 0;
  return t->sent;
}

typedef enum c66_road { C66_ROAD_FREE, C66_ROAD_SCOUTED, C66_ROAD_STUCK } c66_road;

/*
 * The way to the transfer's place: free to go, being scouted by another transfer, or that one has
 * taken too long. `since`: when it set out. The newest come first, since they know best.
 */
static c66_road look_ahead(const c66_engine *e, const c66_transfer *t, int64_t now,
                           int64_t *since) {
  c66_road road = C66_ROAD_FREE;
  c66_transfer *other;
  if (!t->shares)
    return C66_ROAD_FREE;
  for (other = e->running.last; other != NULL; other = other->prev) {
    if (!other->shares || other->place != t->place)
      continue;
    if (c66_transfer_is_sent(other))
      return C66_ROAD_FREE;
    if (now - other->admitted >= SCOUT_PATIENCE)
      return C66_ROAD_STUCK;
    road = C66_ROAD_SCOUTED;
    *since = other->admitted;
  }
  return road;
}

/* Microseconds until its time is over; a very long one where it has all the time. */
static int64_t time_left(const c66_transfer *t, int64_t now) {
  return t->timeout > 0 ? t->started + (int64_t)t->timeout * 1000 - now : INT64_MAX;
}

static CURLcode set_time_left(c66_transfer *t, int64_t now) {
  t->waited = (long)((now - t->started) / 1000);
  if (t->timeout == 0 || t->waited == 0)
    return CURLE_OK;
  return curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
                          t->timeout > t->waited ? t->timeout - t->waited : 1L);
}

/* Whether libcurl took it. */
static bool hand_over(c66_engine *e, c66_transfer *t, c66_road road, int64_t now) {
  CURLMcode rc;
  /* Over plain HTTP it would wait for a whole answer, in vain. */
  long share = t->shares && road != C66_ROAD_STUCK ? 1 : 0;
  if (set_time_left(t, now) != CURLE_OK ||
      curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, share) != CURLE_OK) {
    c66_transfer_abort(t, "connect", "out of memory");
    return false;
  }
  rc = curl_multi_add_handle(e->multi, t->easy);
  if (rc != CURLM_OK) {
    c66_transfer_abort(t, "connect", curl_multi_strerror(rc));
    return false;
  }
  c66_list_remove(&e->waiting, t);
  c66_list_append(&e->running, t);
  t->admitted = now;
  c66_engine_serve_timers(e); /* a new transfer is due at once */
  if (t->tls)
    e->opening += c66_monotonic_us() - now;
  return true;
}

c66_offer c66_queue_offer(c66_engine *e, c66_transfer *t, bool always) {
  int64_t now = c66_monotonic_us(), since;
  c66_road road;
  if (time_left(t, now) <= 0) {
    c66_transfer_expire(t);
    return C66_OFFER_ENDED;
  }
  if (t->tls && e->opening >= OPENING_BUDGET && !always)
    return C66_OFFER_LATER;
  road = look_ahead(e, t, now, &since);
  if (road == C66_ROAD_SCOUTED)
    return C66_OFFER_SCOUTED;
  return hand_over(e, t, road, now) ? C66_OFFER_TAKEN : C66_OFFER_ENDED;
}

/* Two hundred that wait for the same place have the same answer: it is looked for once. */
typedef struct c66_last_look {
  uint64_t place;
  bool scouted;
} c66_last_look;

static bool is_known_scouted(const c66_last_look *last, const c66_transfer *t) {
  return last->scouted && t->shares && t->place == last->place;
}

size_t c66_queue_admit(c66_engine *e) {
  size_t count = e->count;
  c66_last_look last = {0, false};
  bool always = true;
  c66_transfer *t, *next;
  for (t = e->waiting.first; t != NULL && !e->broken; t = next) {
    next = t->next;
    if (is_known_scouted(&last, t) && time_left(t, c66_monotonic_us()) > 0)
      continue;
    switch (c66_queue_offer(e, t, always)) {
    case C66_OFFER_TAKEN:
      if (t->tls)
        always = false;
      break;
    case C66_OFFER_SCOUTED:
      last.place = t->place;
      last.scouted = true;
      break;
    case C66_OFFER_LATER:
    case C66_OFFER_ENDED:
      break;
    }
  }
  return count - e->count;
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
      if (look_ahead(e, t, now, &since) != C66_ROAD_SCOUTED)
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
