/* slowdns.c - to be preloaded: names that end in ".slow.invalid" take C66_SLOW_DNS seconds to look
 * up, and then are nowhere. All others are looked up as usual. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_slow(const char *node) {
  static const char suffix[] = ".slow.invalid";
  size_t n = node != NULL ? strlen(node) : 0;
  return n > sizeof suffix && strcmp(node + n - (sizeof suffix - 1), suffix) == 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  lookup *real;
  const char *seconds = getenv("C66_SLOW_DNS");
  if (is_slow(node)) {
    struct timespec span = {0, 0};
    span.tv_sec = seconds != NULL ? atoi(seconds) : 10;
    (void)nanosleep(&span, NULL);
    return EAI_NONAME;
  }
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  return real != NULL ? real(node, service, hints, found) : EAI_SYSTEM;
}
