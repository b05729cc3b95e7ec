/*
 * easy.c - what the library is measured against: bare curl_easy_perform over a kept connection.
 *
 *   easy URL COUNT HEADER...
 *
 * Sends COUNT GETs one after another with one handle, collects each body, and prints microseconds
 * per request.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct body {
  char bytes[1 << 20];
  size_t len;
} body;

static size_t collect(char *bytes, size_t size, size_t count, void *user) {
  body *b = user;
  size_t n = size * count;
  if (n > sizeof b->bytes - b->len)
    return 0;
  memcpy(b->bytes + b->len, bytes, n);
  b->len += n;
  return n;
}

static double now(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  static body b;
  struct curl_slist *headers = NULL;
  CURL *easy;
  long count, status = 0, i;
  double start = 0;
  int at;
  if (argc < 3)
    return 64;
  count = atol(argv[2]);
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
  easy = curl_easy_init();
  for (at = 3; at < argc; at++)
    headers = curl_slist_append(headers, argv[at]);
  (void)curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &b);
  for (i = -10; i < count; i++) { /* the first ones connect and warm up */
    if (i == 0)
      start = now();
    b.len = 0;
    if (curl_easy_perform(easy) != CURLE_OK)
      return 1;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
      return 1;
  }
  (void)printf("%.2f\n", (now() - start) * 1e6 / (double)count);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  return 0;
}
