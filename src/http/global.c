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
static bool can_ask_tls;
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

/*
 * libcurl does not say what its TLS has read ahead, but OpenSSL does. Nothing is linked for it: these
 * are found where libcurl has found them, or are NULL.
 */
#if defined(__GNUC__) && defined(__ELF__)
extern int SSL_has_pending(const void *ssl) __attribute__((weak));
extern const char *OpenSSL_version(int type) __attribute__((weak));

/* Another OpenSSL in the same process, 1.1 beside 3, has other sessions. Where OpenSSL itself writes
 * "OpenSSL 3.0.19 27 Jan 2026" libcurl writes "OpenSSL/3.0.19", and older ones "OpenSSL/3.0.0s". */
static bool is_libcurls(const char *libcurls, const char *own) {
  for (; *libcurls != '\0' && *libcurls != '.'; libcurls++, own++)
    if (*libcurls != (*own == ' ' ? '/' : *own))
      return false;
  return *own == *libcurls;
}

static bool has_openssl(const curl_version_info_data *info) {
  return SSL_has_pending != NULL && OpenSSL_version != NULL && info->ssl_version != NULL &&
         is_libcurls(info->ssl_version, OpenSSL_version(0));
}

static bool has_pending(const void *ssl) { return SSL_has_pending(ssl) != 0; }
#else
static bool has_openssl(const curl_version_info_data *info) {
  (void)info;
  return false;
}

static bool has_pending(const void *ssl) {
  (void)ssl;
  return false;
}
#endif

static void count_fork(void) { generation++; }

static void load(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  load_result = curl_global_init(CURL_GLOBAL_DEFAULT);
  bundle_suffices = has_bundle();
  can_ask_tls = has_openssl(info);
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

bool c66_http_has_pending(const void *ssl) { return can_ask_tls && has_pending(ssl); }

const char *c66_http_load(void) {
  if (pthread_once(&load_once, load) != 0)
    return "pthread_once failed";
  return load_result == CURLE_OK ? NULL : curl_easy_strerror(load_result);
}
