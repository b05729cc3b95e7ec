/* sigpipe.h - holding back SIGPIPE while libcurl may write. */
#ifndef C66_SIGPIPE_H
#define C66_SIGPIPE_H

#include "base/base.h"

#include <signal.h>
#include <stdbool.h>

C66_BEGIN_DECLS

typedef struct c66_pipe_guard {
  sigset_t before;
  bool holds;
} c66_pipe_guard;

/* Holds the signal back in this thread, where it needs to be; guards may nest. */
void c66_hold_sigpipe(c66_pipe_guard *guard);

/* Swallows one that came meanwhile. */
void c66_release_sigpipe(const c66_pipe_guard *guard);

C66_END_DECLS

#endif
