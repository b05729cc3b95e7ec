/* system.h - the clocks, sleeping, random bytes and the process.
 *
 * What the operating system gives and Lua does not pass on: a clock that never goes back, the time to
 * the fraction of a second, a sleep that ends, bytes nobody can guess. */
#ifndef C66_SYSTEM_H
#define C66_SYSTEM_H

#include "base/base.h"

#include <stdbool.h>

C66_BEGIN_DECLS

/* Seconds since some moment of the past; not affected by setting the time. */
double c66_monotonic(void);

/* The same clock in whole microseconds. */
int64_t c66_monotonic_us(void);

/* Unix seconds, with their fraction; somebody may set this clock. */
double c66_time(void);

/* The number of this process: another one after a fork. */
long c66_pid(void);

/* Sleeps at most so long. False when a signal ended it: the caller's handler wants to be heard. */
bool c66_sleep(double seconds);

/* Fills `bytes` with what the system's own generator gives; at most 256 at a time. */
bool c66_random(unsigned char *bytes, size_t n);

C66_END_DECLS

#endif
