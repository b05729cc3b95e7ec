/* sigpipe.c - holding back SIGPIPE while libcurl may write.
 *
 * With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, and up to 7.86 OpenSSL, and others for longer,
 * write to sockets without MSG_NOSIGNAL: a peer that hangs up would end the script. So there the
 * signal is held back in this thread while libcurl may write, and swallowed if it came. Systems
 * without sigtimedwait have SO_NOSIGPIPE, which libcurl sets. */
#include "http/sigpipe.h"
#include "http/global.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0

static void only_sigpipe(sigset_t *set) {
  (void)sigemptyset(set);
  (void)sigaddset(set, SIGPIPE);
}

void c66_hold_sigpipe(c66_pipe_guard *guard) {
  sigset_t pending, sigpipe;
  guard->holds = false;
  if (c66_http_spares_sigpipe())
    return;
  only_sigpipe(&sigpipe);
  guard->holds = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0 &&
                 pthread_sigmask(SIG_BLOCK, &sigpipe, &guard->before) == 0;
}

void c66_release_sigpipe(const c66_pipe_guard *guard) {
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

void c66_hold_sigpipe(c66_pipe_guard *guard) { guard->holds = false; }
void c66_release_sigpipe(const c66_pipe_guard *guard) { (void)guard; }

#endif
