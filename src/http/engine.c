/* engine.c - drives transfers, which are the caller's: starts, hands over, ends and closes them. */
#include "base/system.h"
#include "http/connection.h"
#include "http/failure.h"
#include "http/global.h"
#include "http/http.h"
#include "http/poll.h"
#include "http/queue.h"
#include "http/sigpipe.h"
#include "http/transfer.h"

#include <stdio.h>
#include <string.h>

enum { KEPT_CONNECTIONS = 256 };

/* --- lists --- */

static void append(c66_transfer_list *list, c66_transfer *t) {
  t->next = NULL;
  t->prev = list->last;
  if (list->last != NULL)
    list->last->next = t;
  else
    list->first = t;
  list->last = t;
}

static void take_out(c66_transfer_list *list, c66_transfer *t) {
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

/* --- ending a transfer --- */

/* A new handle costs libcurl some thirty allocations, one of them of 16 KiB. */
static CURL *take_handle(c66_engine *e) {
  return e->spares > 0 ? e->spare[--e->spares] : curl_easy_init();
}

static void give_back(c66_engine *e, CURL *easy) {
  if (e->spares == C66_SPARE_HANDLES || !c66_http_resets_handles()) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy);
  e->spare[e->spares++] = easy;
}

/* Whether it was opened by this process and not by the one that forked it. */
static bool is_ours(const c66_engine *e) { return e->generation == c66_http_generation(); }

/* Takes it out of its engine and of libcurl, and its handle from it. Nothing happens unless it is
 * in one. */
static void leave(c66_transfer *t) {
  c66_engine *e = t->engine;
  CURL *easy = t->easy;
  bool waits = t->admitted < 0;
  c66_pipe_guard guard;
  if (e == NULL)
    return;
  take_out(waits ? &e->waiting : &e->running, t);
  t->engine = NULL;
  t->easy = NULL;
  e->count--;
  if (!is_ours(e))
    return; /* the handle shares its sockets with the parent process: leaked on purpose */
  c66_hold_sigpipe(&guard);
  if (!waits)
    (void)curl_multi_remove_handle(e->multi, easy);
  give_back(e, easy);
  c66_release_sigpipe(&guard);
}

/* Frees what is needed only while running. */
static void stop(c66_transfer *t) {
  CURL *easy;
  leave(t);
  easy = t->easy; /* still there if the start failed half-way */
  t->easy = NULL;
  if (easy != NULL)
    curl_easy_cleanup(easy);
  c66_transfer_forget_request(t);
}

/* Ends one whose failure is written down. */
static void fail(c66_transfer *t) {
  t->phase = C66_PHASE_FAILED;
  stop(t);
  c66_transfer_drop_response(t);
}

/* Ends a transfer for a reason of our own; `kind` and `why` are static texts. */
static void abort_transfer(c66_transfer *t, const char *kind, const char *why) {
  c66_failure_set(t, kind, why, "");
  fail(t);
}

/* Has one wait anew that found its connection unfit: libcurl has closed that one. */
static void start_again(c66_transfer *t) {
  c66_engine *e = t->engine;
  (void)curl_multi_remove_handle(e->multi, t->easy);
  take_out(&e->running, t);
  append(&e->waiting, t);
  c66_transfer_reconnect(t);
}

/* Ends a transfer with libcurl's result, which the handle tells more of as long as it is there. */
static void end(c66_transfer *t, CURLcode result) {
  if (result != CURLE_OK) {
    c66_failure_from_curl(t, result);
    fail(t);
    return;
  }
  c66_transfer_note_response(t);
  if (c66_failure_of_response(t)) {
    fail(t);
    return;
  }
  stop(t);
}

/* --- starting a transfer --- */

/* Whether libcurl took it; otherwise it has failed. */
static bool hand_over(c66_engine *e, c66_transfer *t, bool waits_for_connection, int64_t now) {
  CURLMcode rc;
  if (c66_transfer_update(t, now, waits_for_connection) != CURLE_OK) {
    abort_transfer(t, "connect", "out of memory");
    return false;
  }
  rc = curl_multi_add_handle(e->multi, t->easy);
  if (rc != CURLM_OK) {
    abort_transfer(t, "connect", curl_multi_strerror(rc));
    return false;
  }
  take_out(&e->waiting, t);
  append(&e->running, t);
  t->admitted = now;
  if (!e->broken && c66_poll_serve_timers(e) != CURLM_OK) /* a new transfer is due at once */
    e->broken = true;
  if (t->tls)
    e->opening += c66_monotonic_us() - now;
  return true;
}

/* Hands a waiting transfer over if it may go, and ends it if its time is over. Whether libcurl has
 * it. */
static bool admit(c66_engine *e, c66_transfer *t, bool always, c66_connecting *last) {
  int64_t now = c66_monotonic_us();
  c66_admission admission = c66_queue_admission(e, t, now, always, last);
  switch (admission) {
  case C66_ADMIT_NOW:
  case C66_ADMIT_ALONE:
    return hand_over(e, t, admission == C66_ADMIT_NOW, now);
  case C66_ADMIT_EXPIRED:
    c66_failure_late(t);
    fail(t);
    break;
  case C66_ADMIT_LATER:
  case C66_ADMIT_CONNECTING:
    break;
  }
  return false;
}

/* All that wait, and the time for one over TLS at least. Returns how many ended instead. */
static size_t admit_all(c66_engine *e) {
  size_t count = e->count;
  c66_connecting last = {0, false};
  bool always = true;
  c66_transfer *t, *next;
  for (t = e->waiting.first; t != NULL && !e->broken; t = next) {
    next = t->next;
    if (admit(e, t, always, &last) && t->tls)
      always = false;
  }
  return count - e->count;
}

/* Enters a prepared transfer, which goes at once if it may. */
static void add(c66_engine *e, c66_transfer *t) {
  c66_connecting none = {0, false};
  c66_pipe_guard guard;
  c66_hold_sigpipe(&guard);
  t->engine = e;
  t->started = c66_monotonic_us();
  append(&e->waiting, t);
  e->count++;
  if (!e->broken)
    (void)admit(e, t, false, &none);
  c66_release_sigpipe(&guard);
}

c66_status c66_transfer_start(c66_transfer *t, c66_engine *e, const c66_request *request) {
  CURLcode rc;
  if (e->multi == NULL) { /* nobody would run it, nor end it */
    abort_transfer(t, "aborted", "the HTTP engine was closed");
    return C66_FAIL;
  }
  rc = c66_transfer_prepare(t, take_handle(e), request);
  if (rc != CURLE_OK) {
    abort_transfer(t, "connect",
                   rc == CURLE_OUT_OF_MEMORY ? "out of memory" : curl_easy_strerror(rc));
    return C66_FAIL;
  }
  t->phase = C66_PHASE_RUNNING;
  add(e, t);
  return t->phase == C66_PHASE_FAILED ? C66_FAIL : C66_OK;
}

void c66_transfer_close(c66_transfer *t) {
  if (t->phase == C66_PHASE_FAILED || t->phase == C66_PHASE_TAKEN)
    return;
  abort_transfer(t, "aborted", "the request was cancelled");
}

/* --- engine --- */

void c66_engine_init(c66_engine *e) {
  memset(e, 0, sizeof *e);
  e->multi = NULL;
  e->waiting.first = e->waiting.last = NULL;
  e->running.first = e->running.last = NULL;
  e->deadline = -1;
  e->epoll = -1;
}

static void describe(c66_error *err, const char *what, const char *why) {
  err->kind = "connect";
  err->offset = 0;
  (void)snprintf(err->message, sizeof err->message, "%s: %s", what, why);
}

c66_status c66_engine_open(c66_engine *e, c66_error *err) {
  const char *why = c66_http_load();
  CURLMcode rc;
  if (why != NULL) {
    describe(err, "libcurl cannot be set up", why);
    return C66_FAIL;
  }
  e->generation = c66_http_generation();
  e->multi = curl_multi_init();
  if (e->multi == NULL) {
    describe(err, "no engine for HTTP", "out of memory");
    return C66_FAIL;
  }
  rc = c66_poll_open(e);
  if (rc == CURLM_OK)
    rc = curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
  if (rc == CURLM_OK)
    return C66_OK;
  describe(err, "no engine for HTTP",
           rc == CURLM_INTERNAL_ERROR ? "too many open files?" : curl_multi_strerror(rc));
  c66_engine_close(e);
  return C66_FAIL;
}

bool c66_engine_usable(const c66_engine *e) { return e->multi != NULL && !e->broken && is_ours(e); }

/* Collects what libcurl has finished. A message is gone once its handle is removed, so it is read
 * first. */
static size_t collect(c66_engine *e) {
  CURLMsg *message;
  size_t ended = 0;
  int queued;
  while ((message = curl_multi_info_read(e->multi, &queued)) != NULL) {
    CURLcode result = message->data.result;
    char *owner = NULL;
    c66_transfer *t;
    if (message->msg != CURLMSG_DONE ||
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner) != CURLE_OK ||
        owner == NULL)
      continue;
    t = (c66_transfer *)(void *)owner;
    if (result == CURLE_ABORTED_BY_CALLBACK && t->abort_reason == C66_ABORT_INPUT_PENDING) {
      start_again(t);
      continue;
    }
    end(t, result);
    ended++;
  }
  return ended;
}

static size_t abort_all(c66_engine *e, const char *kind, const char *why) {
  size_t ended = 0;
  while (e->count > 0) {
    abort_transfer(e->running.first != NULL ? e->running.first : e->waiting.first, kind, why);
    ended++;
  }
  return ended;
}

size_t c66_engine_run(c66_engine *e, int wait_ms) {
  c66_pipe_guard guard;
  size_t ended;
  if (e->multi == NULL || !is_ours(e))
    return 0;
  c66_hold_sigpipe(&guard);
  e->opening = 0;
  ended = collect(e); /* what ended at its start */
  if (ended > 0 || e->count == 0)
    wait_ms = 0;
  if (!e->broken && c66_poll_turn(e, c66_queue_timeout(e, wait_ms)) != CURLM_OK)
    e->broken = true;
  ended += collect(e);
  ended += admit_all(e);
  ended += collect(e);
  if (e->broken)
    ended += abort_all(e, "network", "the HTTP engine failed and was given up: try again");
  c66_release_sigpipe(&guard);
  return ended;
}

void c66_engine_close(c66_engine *e) {
  CURLM *multi = e->multi;
  bool ours = is_ours(e);
  c66_pipe_guard guard;
  if (multi != NULL) {
    c66_hold_sigpipe(&guard);
    (void)abort_all(e, "aborted", "the HTTP engine was closed");
    while (ours && e->spares > 0)
      curl_easy_cleanup(e->spare[--e->spares]);
    if (ours)
      (void)curl_multi_cleanup(multi); /* still takes its sockets from epoll */
    c66_release_sigpipe(&guard);
  }
  e->multi = NULL;
  c66_connections_free(&e->connections);
  c66_poll_close(e);
}
