/* system.c - the clocks, sleeping, random bytes and the process. */
#include "base/system.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/random.h>
#endif

static struct timespec read_clock(clockid_t clock) {
  struct timespec now = {0, 0};
  (void)clock_gettime(clock, &now);
  return now;
}

static double clock_seconds(clockid_t clock) {
  struct timespec now = read_clock(clock);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double c66_monotonic(void) { return clock_seconds(CLOCK_MONOTONIC); }

int64_t c66_monotonic_us(void) {
  struct timespec now = read_clock(CLOCK_MONOTONIC);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double c66_time(void) { return clock_seconds(CLOCK_REALTIME); }

long c66_pid(void) { return (long)getpid(); }

bool c66_sleep(double seconds) {
  struct timespec span;
  span.tv_sec = (time_t)seconds;
  span.tv_nsec = (long)((seconds - (double)span.tv_sec) * 1e9);
  return nanosleep(&span, NULL) == 0 || errno != EINTR;
}

/* Kernels from before 2014, and systems without the call. */
static bool read_device(unsigned char *bytes, size_t n) {
  FILE *device = fopen("/dev/urandom", "rb");
  bool whole;
  if (device == NULL)
    return false;
  (void)setvbuf(device, NULL, _IONBF, 0);
  whole = fread(bytes, 1, n, device) == n;
  (void)fclose(device);
  return whole;
}

bool c66_random(unsigned char *bytes, size_t n) {
#if defined(__linux__) || defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__)
  if (getentropy(bytes, n) == 0)
    return true;
#endif
  return read_device(bytes, n);
}
