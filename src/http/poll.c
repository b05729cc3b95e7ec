/* poll.c - waiting for sockets and for libcurl's timer: over epoll, or over what libcurl has. */
#include "http/poll.h"
#include "base/system.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && !defined(C66_NO_EPOLL)
#define C66_EPOLL 1
#include <sys/epoll.h>
#else
#define C66_EPOLL 0
#endif

#if C66_EPOLL

enum { RUN_BUDGET = 1000 }; /* microseconds: a burst must not hold up an event loop that calls us */

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

CURLMcode c66_poll_open(c66_engine *e) {
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

void c66_poll_close(c66_engine *e) {
  int epoll = e->epoll;
  e->epoll = -1;
  if (epoll >= 0)
    (void)close(epoll);
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

CURLMcode c66_poll_serve_timers(c66_engine *e) {
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
CURLMcode c66_poll_turn(c66_engine *e, int wait_ms) {
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
  return rc == CURLM_OK ? c66_poll_serve_timers(e) : rc;
}

#else

CURLMcode c66_poll_open(c66_engine *e) {
  (void)e;
  return CURLM_OK;
}

void c66_poll_close(c66_engine *e) { (void)e; }

CURLMcode c66_poll_serve_timers(c66_engine *e) {
  int running;
  return curl_multi_perform(e->multi, &running);
}

CURLMcode c66_poll_turn(c66_engine *e, int wait_ms) {
  CURLMcode rc = CURLM_OK;
  if (wait_ms > 0)
    rc = curl_multi_poll(e->multi, NULL, 0, wait_ms, NULL);
  return rc == CURLM_OK ? c66_poll_serve_timers(e) : rc;
}

#endif
