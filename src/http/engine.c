/* http.c - the engine that drives transfers: libcurl's multi interface over epoll, or over
 * poll. Which of them libcurl has is http_queue.c's. */
#include "base/system.h"
#include "http/http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__) && !defined(C66_NO_EPOLL)
#define C66_EPOLL 1
#include <sys/epoll.h>
#else
#define C66_EPOLL 0
#endif

enum {
  KEPT_CONNECTIONS = 256,
  RUN_BUDGET = 1000, /* microseconds: a burst must not hold up an event loop that calls us */
};

/* --- libcurl, once per process ---------------------------------------------------------------- */

/* Never undone: the module stays mapped, and others in the process may use libcurl too. */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static CURLcode load_result;
static bool bundle_suffices;
static bool spares_sigpipe;
static unsigned generation;

/*
 * A directory of CAs keeps libcurl from caching what it has parsed: 20 to 35 ms of computing for
 * each new TLS connection, in which an event loop stands still. Where libcurl was built with a
 * bundle beside the directory, and the bundle is there, it does alone.
 */
static bool has_bundle(void) {
#if LIBCURL_VERSION_NUM >= 0x074600
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL &&
         access(info->cainfo, R_OK) == 0;
#else
  return false;
#endif
}

static void count_fork(void) { generation++; }

static void load(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  load_result = curl_global_init(CURL_GLOBAL_DEFAULT);
  bundle_suffices = has_bundle();
  spares_sigpipe = info->version_num >= 0x080000 ||
                   (info->version_num >= 0x075700 && info->ssl_version != NULL &&
                    strncmp(info->ssl_version, "OpenSSL", 7) == 0);
  if (pthread_atfork(NULL, NULL, count_fork) != 0)
    load_result = CURLE_OUT_OF_MEMORY;
}

unsigned c66_http_generation(void) { return generation; }

bool c66_http_bundle_suffices(void) { return bundle_suffices; }

static void describe(c66_error *err, const char *what, const char *why) {
  err->kind = "connect";
  err->offset = 0;
  (void)snprintf(err->message, sizeof err->message, "%s: %s", what, why);
}

c66_status c66_http_load(c66_error *err) {
  int failed = pthread_once(&load_once, load);
  if (failed == 0 && load_result == CURLE_OK)
    return C66_OK;
  describe(err, "libcurl cannot be set up",
           failed != 0 ? "pthread_once failed" : curl_easy_strerror(load_result));
  return C66_FAIL;
}

/* --- SIGPIPE ---------------------------------------------------------------------------------- */

/*
 * With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, and up to 7.86 OpenSSL, and others for longer,
 * write to sockets without MSG_NOSIGNAL: a peer that hangs up would end the script. So there the
 * signal is held back in this thread while libcurl may write, and swallowed if it came. Systems
 * without sigtimedwait have SO_NOSIGPIPE, which libcurl sets.
 */
typedef struct pipe_guard {
  sigset_t before;
  bool holds;
} pipe_guard;

#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0

static void only_sigpipe(sigset_t *set) {
  (void)sigemptyset(set);
  (void)sigaddset(set, SIGPIPE);
}

static void hold_sigpipe(pipe_guard *guard) {
  sigset_t pending, sigpipe;
  guard->holds = false;
  if (spares_sigpipe)
    return;
  only_sigpipe(&sigpipe);
  guard->holds = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0 &&
                 pthread_sigmask(SIG_BLOCK, &sigpipe, &guard->before) == 0;
}

static void release_sigpipe(const pipe_guard *guard) {
  const struct timespec at_once = {0, 0};
  sigset_t sigpipe;
  if (!guard->holds)
    return;
  only_sigpipe(&sigpipe);
  while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
    ;
  (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

#else

static void hold_sigpipe(pipe_guard *guard) { guard->holds = false; }
static void release_sigpipe(const pipe_guard *guard) { (void)guard; }

#endif

/* --- waiting: epoll --------------------------------------------------------------------------- */

#if C66_EPOLL

/* A descriptor closed and used again behind our back is new to epoll, or known to it after all. */
static bool watch(int epoll, int operation, int fd, struct epoll_event *event) {
  if (epoll_ctl(epoll, operation, fd, event) == 0)
    return true;
  if (operation == EPOLL_CTL_MOD && errno == ENOENT)
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event) == 0;
  return operation == EPOLL_CTL_ADD && errno == EEXIST &&
         epoll_ctl(epoll, EPOLL_CTL_MOD, fd, event) == 0;
}

/* CURLMOPT_SOCKETFUNCTION. `known` is set by curl_multi_assign for sockets that epoll already
 * watches. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known) {
  c66_engine *e = user;
  struct epoll_event event;
  (void)easy;
  memset(&event, 0, sizeof event);
  event.data.fd = fd;
  if (what == CURL_POLL_REMOVE) {
    (void)epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, &event);
    return 0;
  }
  if ((what & CURL_POLL_IN) != 0)
    event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0)
    event.events |= EPOLLOUT;
  if (!watch(e->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event)) {
    e->broken = true;
    return -1;
  }
  if (known == NULL)
    (void)curl_multi_assign(e->multi, fd, e);
  return 0;
}

/* CURLMOPT_TIMERFUNCTION. */
static int on_timer(CURLM *multi, long timeout_ms, void *user) {
  c66_engine *e = user;
  (void)multi;
  e->deadline = timeout_ms < 0 ? -1 : c66_monotonic_us() + (int64_t)timeout_ms * 1000;
  return 0;
}

static CURLMcode open_waiting(c66_engine *e) {
  CURLMcode rc;
  e->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (e->epoll < 0)
    return CURLM_INTERNAL_ERROR;
  rc = curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  if (rc == CURLM_OK)
    rc = curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
  if (rc == CURLM_OK)
    rc = curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  if (rc == CURLM_OK)
    rc = curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
  return rc;
}

static int what_of(uint32_t events) {
  int what = 0;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
    what |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0)
    what |= CURL_CSELECT_OUT;
  if ((events & EPOLLERR) != 0)
    what |= CURL_CSELECT_ERR;
  return what;
}

/* Whether there are any. */
static bool find_sockets(c66_engine *e, int wait_ms) {
  struct epoll_event events[C66_READY_SOCKETS];
  int i, found = epoll_wait(e->epoll, events, C66_READY_SOCKETS, wait_ms);
  e->served = e->found = 0;
  for (i = 0; i < found; i++) {
    e->ready[i].fd = events[i].data.fd;
    e->ready[i].what = what_of(events[i].events);
    e->found++;
  }
  return e->found > 0;
}

/* A socket that is closed by now libcurl no longer knows, and leaves alone. */
static CURLMcode serve_socket(c66_engine *e) {
  int running, i = e->served++;
  return curl_multi_socket_action(e->multi, e->ready[i].fd, e->ready[i].what, &running);
}

static int until_deadline(const c66_engine *e, int wait_ms) {
  int64_t left;
  if (e->deadline < 0 || wait_ms <= 0)
    return wait_ms;
  left = e->deadline - c66_monotonic_us();
  if (left <= 0)
    return 0;
  left = (left + 999) / 1000; /* whole milliseconds, not too early */
  return left < wait_ms ? (int)left : wait_ms;
}

static CURLMcode serve_timers(c66_engine *e) {
  int running;
  if (e->deadline < 0 || c66_monotonic_us() < e->deadline)
    return CURLM_OK;
  e->deadline = -1;
  return curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/*
 * The clock is asked after each socket, for a step of a TLS handshake takes up to a millisecond. What
 * was found and not served when the time is over comes first in the next run: else epoll would name
 * the same ones again, and one that always has something to read would starve the others.
 */
static CURLMcode turn(c66_engine *e, int wait_ms) {
  CURLMcode rc = CURLM_OK;
  int64_t stop_at = 0;
  bool more;
  do {
    if (e->served == e->found && !find_sockets(e, until_deadline(e, wait_ms)))
      break;
    wait_ms = 0;
    if (stop_at == 0)
      stop_at = c66_monotonic_us() + RUN_BUDGET;
    more = e->found == C66_READY_SOCKETS; /* there may be more */
    do
      rc = serve_socket(e);
    while (rc == CURLM_OK && e->served < e->found && c66_monotonic_us() < stop_at);
  } while (rc == CURLM_OK && more && c66_monotonic_us() < stop_at);
  return rc == CURLM_OK ? serve_timers(e) : rc;
}

#else

/* --- waiting: whatever libcurl finds ---------------------------------------------------------- */

static CURLMcode open_waiting(c66_engine *e) {
  (void)e;
  return CURLM_OK;
}

static CURLMcode serve_timers(c66_engine *e) {
  int running;
  return curl_multi_perform(e->multi, &running);
}

static CURLMcode turn(c66_engine *e, int wait_ms) {
  CURLMcode rc = CURLM_OK;
  if (wait_ms > 0)
    rc = curl_multi_poll(e->multi, NULL, 0, wait_ms, NULL);
  return rc == CURLM_OK ? serve_timers(e) : rc;
}

#endif

void c66_engine_serve_timers(c66_engine *e) {
  if (!e->broken && serve_timers(e) != CURLM_OK)
    e->broken = true;
}

/* --- engine ----------------------------------------------------------------------------------- */

void c66_engine_init(c66_engine *e) {
  memset(e, 0, sizeof *e);
  e->multi = NULL;
  e->waiting.first = e->waiting.last = NULL;
  e->running.first = e->running.last = NULL;
  e->deadline = -1;
  e->epoll = -1;
}

c66_status c66_engine_open(c66_engine *e, c66_error *err) {
  CURLMcode rc;
  if (c66_http_load(err) != C66_OK)
    return C66_FAIL;
  e->generation = generation;
  e->multi = curl_multi_init();
  if (e->multi == NULL) {
    describe(err, "no engine for HTTP", "out of memory");
    return C66_FAIL;
  }
  rc = open_waiting(e);
  if (rc == CURLM_OK)
    rc = curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
  if (rc == CURLM_OK)
    return C66_OK;
  describe(err, "no engine for HTTP",
           rc == CURLM_INTERNAL_ERROR ? "too many open files?" : curl_multi_strerror(rc));
  c66_engine_close(e);
  return C66_FAIL;
}

bool c66_engine_usable(const c66_engine *e) {
  return e->multi != NULL && !e->broken && e->generation == generation;
}

/* Collects what libcurl has finished. A message is gone once its handle is removed, so it is read
 * first. */
static size_t collect(c66_engine *e) {
  CURLMsg *message;
  size_t ended = 0;
  int queued;
  while ((message = curl_multi_info_read(e->multi, &queued)) != NULL) {
    CURLcode result = message->data.result;
    char *owner = NULL;
    if (message->msg != CURLMSG_DONE ||
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner) != CURLE_OK ||
        owner == NULL)
      continue;
    c66_transfer_end((c66_transfer *)(void *)owner, result);
    ended++;
  }
  return ended;
}

static size_t abort_all(c66_engine *e, const char *kind, const char *why) {
  size_t ended = 0;
  while (e->count > 0) {
    c66_transfer_abort(e->running.first != NULL ? e->running.first : e->waiting.first, kind, why);
    ended++;
  }
  return ended;
}

size_t c66_engine_run(c66_engine *e, int wait_ms) {
  pipe_guard guard;
  size_t ended;
  if (e->multi == NULL || e->generation != generation)
    return 0;
  hold_sigpipe(&guard);
  e->opening = 0;
  ended = collect(e); /* what ended at its start */
  if (ended > 0 || e->count == 0)
    wait_ms = 0;
  if (!e->broken && turn(e, c66_queue_patience(e, wait_ms)) != CURLM_OK)
    e->broken = true;
  ended += collect(e);
  ended += c66_queue_admit(e);
  ended += collect(e);
  if (e->broken)
    ended += abort_all(e, "network", "the HTTP engine failed and was given up: try again");
  release_sigpipe(&guard);
  return ended;
}

void c66_engine_close(c66_engine *e) {
  CURLM *multi = e->multi;
  int epoll = e->epoll;
  bool ours = e->generation == generation;
  pipe_guard guard;
  if (multi != NULL) {
    hold_sigpipe(&guard);
    (void)abort_all(e, "aborted", "the HTTP engine was closed");
    while (ours && e->spares > 0)
      curl_easy_cleanup(e->spare[--e->spares]);
    if (ours)
      (void)curl_multi_cleanup(multi); /* still calls on_socket */
    release_sigpipe(&guard);
  }
  e->multi = NULL;
  e->epoll = -1;
  if (epoll >= 0)
    (void)close(epoll);
}

/* A new handle costs libcurl some thirty allocations, one of them of 16 KiB. */
CURL *c66_engine_take_handle(c66_engine *e) {
  return e->spares > 0 ? e->spare[--e->spares] : curl_easy_init();
}

void c66_engine_give_back(c66_engine *e, CURL *easy) {
  if (e->spares == C66_SPARE_HANDLES) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy);
  e->spare[e->spares++] = easy;
}

void c66_engine_add(c66_engine *e, c66_transfer *t) {
  pipe_guard guard;
  hold_sigpipe(&guard);
  t->engine = e;
  t->started = c66_monotonic_us();
  c66_list_append(&e->waiting, t);
  e->count++;
  if (!e->broken)
    (void)c66_queue_offer(e, t, false);
  release_sigpipe(&guard);
}

void c66_engine_remove(c66_transfer *t) {
  c66_engine *e = t->engine;
  CURL *easy = t->easy;
  bool waits = t->admitted < 0;
  pipe_guard guard;
  if (e == NULL)
    return;
  c66_list_remove(waits ? &e->waiting : &e->running, t);
  t->engine = NULL;
  t->easy = NULL;
  e->count--;
  if (e->generation != generation)
    return; /* the handle shares its sockets with the parent process: leaked on purpose */
  hold_sigpipe(&guard);
  if (!waits)
    (void)curl_multi_remove_handle(e->multi, easy);
  c66_engine_give_back(e, easy);
  release_sigpipe(&guard);
}
