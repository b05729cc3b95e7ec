/* global.c - libcurl itself: set up once per process, and what the one that runs here can do. */
#include "http/global.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Never undone: the module stays mapped, and others in the process may use libcurl too. */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static CURLcode load_result;
static bool bundle_suffices;
static bool spares_sigpipe;
static bool resets_handles;
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
  resets_handles = info->version_num < 0x075400 || info->version_num >= 0x080100;
  if (pthread_atfork(NULL, NULL, count_fork) != 0)
    load_result = CURLE_OUT_OF_MEMORY;
}

unsigned c66_http_generation(void) { return generation; }

bool c66_http_bundle_suffices(void) { return bundle_suffices; }

bool c66_http_spares_sigpipe(void) { return spares_sigpipe; }

bool c66_http_resets_handles(void) { return resets_handles; }

const char *c66_http_load(void) {
  if (pthread_once(&load_once, load) != 0)
    return "pthread_once failed";
  return load_result == CURLE_OK ? NULL : curl_easy_strerror(load_result);
}
