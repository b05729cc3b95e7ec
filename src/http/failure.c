/* failure.c - why a transfer has failed, as one of our kinds and a sentence that says what to do. */
#include "http/failure.h"
#include "base/ascii.h"

#include <stdio.h>
#include <string.h>

/* Codes without a row are "network". */
static const struct {
  CURLcode code;
  const char *kind;
  const char *what;
} rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "connect",
     "the host name cannot be resolved: check it, and the DNS"},
    {CURLE_COULDNT_RESOLVE_PROXY, "connect", "the host name of the proxy cannot be resolved"},
    {CURLE_COULDNT_CONNECT, "connect", "no connection"},
    {CURLE_URL_MALFORMAT, "connect", "libcurl does not accept this URL or proxy"},
    {CURLE_INTERFACE_FAILED, "connect", "no connection"},
#if LIBCURL_VERSION_NUM >= 0x074900
    {CURLE_PROXY, "connect", "the proxy refused the connection"},
#endif
    {CURLE_SSL_CONNECT_ERROR, "tls", "the TLS handshake failed"},
    {CURLE_SSL_CERTPROBLEM, "tls", "the TLS handshake failed"},
    {CURLE_SSL_CIPHER, "tls", "the TLS handshake failed"},
    {CURLE_SSL_ENGINE_NOTFOUND, "tls", "the TLS library failed"},
    {CURLE_SSL_ENGINE_SETFAILED, "tls", "the TLS library failed"},
    {CURLE_SSL_ENGINE_INITFAILED, "tls", "the TLS library failed"},
    {CURLE_USE_SSL_FAILED, "tls", "the TLS handshake failed"},
    {CURLE_SSL_CACERT_BADFILE, "tls", "the CA file cannot be read: check option 'ca_file'"},
    {CURLE_SSL_CRL_BADFILE, "tls", "the certificate could not be verified"},
    {CURLE_SSL_ISSUER_ERROR, "tls", "the certificate could not be verified"},
    {CURLE_SSL_INVALIDCERTSTATUS, "tls", "the certificate could not be verified"},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, "tls", "the certificate could not be verified"},
    {CURLE_SSL_SHUTDOWN_FAILED, "tls", "the TLS connection could not be closed"},
    {CURLE_OUT_OF_MEMORY, "network", "out of memory"},
    {CURLE_PARTIAL_FILE, "network", "the connection was cut before the response was complete"},
    {CURLE_GOT_NOTHING, "network", "the connection was closed without a response"},
    {CURLE_SEND_ERROR, "network", "the connection broke while sending"},
    {CURLE_RECV_ERROR, "network", "the connection broke while receiving"},
    {CURLE_HTTP2, "network", "the HTTP/2 connection broke"},
    {CURLE_HTTP2_STREAM, "network", "the HTTP/2 stream was cut"},
    {CURLE_UNSUPPORTED_PROTOCOL, "protocol", "the response is not HTTP, or libcurl lacks https"},
    {CURLE_WEIRD_SERVER_REPLY, "protocol", "the response is not HTTP as it should be"},
    /* Up to 8.2 that is a head whose first line is folded. */
    {CURLE_BAD_FUNCTION_ARGUMENT, "protocol", "the response is not HTTP as it should be"},
    {CURLE_BAD_CONTENT_ENCODING, "protocol", "the body is not compressed as its header says"},
#if LIBCURL_VERSION_NUM >= 0x080600
    {CURLE_TOO_LARGE, "protocol", "a response header is too long"},
#endif
    {CURLE_WRITE_ERROR, "protocol", "the body cannot be decoded"},
};

static const char switched[] = "the server changed to another protocol, which nobody asked for";

void c66_failure_set(c66_transfer *t, const char *kind, const char *what, const char *detail) {
  c66_error *failure = &t->failure;
  const char *open = detail[0] != '\0' ? " (" : "";
  const char *shut = detail[0] != '\0' ? ")" : "";
  char *c;
  int written;
  failure->kind = kind;
  failure->offset = 0;
  written = snprintf(failure->message, sizeof failure->message, "%.100s: %s%s%s%s", t->peer, what,
                     open, detail, shut);
  if (written < 0)
    failure->message[0] = '\0';
  for (c = failure->message; *c != '\0'; c++)
    if (!c66_is_printable(*c))
      *c = '?';
}

/* libcurl's words, unless they may quote a URL or a proxy with its password: of one that it cannot
 * read, it quotes all, or takes a part of the password for the host. */
static const char *detail_of(const c66_transfer *t, CURLcode result) {
  if (t->detail[0] == '\0' || strchr(t->detail, '@') != NULL ||
      result == CURLE_COULDNT_RESOLVE_PROXY || strstr(t->detail, "Unsupported proxy") != NULL)
    return curl_easy_strerror(result);
  return t->detail;
}

static long elapsed_ms(const c66_transfer *t) {
  curl_off_t total = 0;
  (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total);
  return (long)(total / 1000);
}

void c66_failure_late(c66_transfer *t) {
  char what[96];
  (void)snprintf(what, sizeof what, "no complete response within %g s",
                 (double)t->timeout / 1000.0);
  c66_failure_set(t, "timeout", what, "");
}

/* libcurl has one code for three time limits. */
static void fail_by_time(c66_transfer *t) {
  enum { SLACK = 5 }; /* milliseconds that libcurl may be early */
  char what[96];
  long elapsed = elapsed_ms(t);
  if (strncmp(t->detail, "Operation too slow", 18) == 0) {
    (void)snprintf(what, sizeof what, "no byte came for %ld s", t->stall_timeout);
  } else if (t->timeout > 0 && elapsed + t->waited + SLACK >= t->timeout) {
    c66_failure_late(t);
    return;
  } else if (t->connect_timeout > 0 && !c66_transfer_is_sent(t)) {
    (void)snprintf(what, sizeof what, "no connection within %g s",
                   (double)t->connect_timeout / 1000.0);
  } else {
    (void)snprintf(what, sizeof what, "gave up after %g s", (double)elapsed / 1000.0);
  }
  c66_failure_set(t, "timeout", what, "");
}

/* libcurl has one code for a CA it does not know and for a host name that differs. */
static void fail_verification(c66_transfer *t, CURLcode result) {
  bool is_name = strstr(t->detail, "host name") != NULL || strstr(t->detail, "hostname") != NULL;
  c66_failure_set(t, "tls",
                  is_name ? "the certificate is for another host name: check the URL"
                          : "the certificate could not be verified: if a CA of your own signed "
                            "it, set option 'ca_file'",
                  detail_of(t, result));
}

/* libcurl has one code for a handshake that the peer refuses and for one that the network cuts, and
 * one for a connection that broke and for chunks that are none: only its words tell them apart. */
static bool mentions(const c66_transfer *t, const char *const *words) {
  for (; *words != NULL; words++)
    if (strstr(t->detail, *words) != NULL)
      return true;
  return false;
}

static bool is_cut_handshake(const c66_transfer *t, CURLcode result) {
  static const char *const words[] = {"SSL_ERROR_SYSCALL", "reset by peer", "unexpected eof",
                                      "non-properly terminated", NULL};
  return result == CURLE_SSL_CONNECT_ERROR && mentions(t, words);
}

static bool is_bad_chunk(const c66_transfer *t, CURLcode result) {
  static const char *const words[] = {"chunked-encoding", "chunk hex-length",
                                      "chunked-encoded stream", NULL};
  return result == CURLE_RECV_ERROR && mentions(t, words);
}

/* A proxy's refusal to open a tunnel comes as a receive error. */
static long tunnel_refusal(const c66_transfer *t) {
  long code = 0;
  (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &code);
  return code >= 300 ? code : 0;
}

static void fail_by_refusal(c66_transfer *t, long status) {
  char detail[32];
  t->refusal = status;
  (void)snprintf(detail, sizeof detail, "HTTP status %ld", status);
  c66_failure_set(t, "connect",
                  status == 407 ? "the proxy wants a user and a password, or other ones"
                                : "the proxy refused the tunnel",
                  detail);
}

static bool fail_by_abort_reason(c66_transfer *t) {
  char what[128];
  switch (t->abort_reason) {
  case C66_ABORT_BODY_LIMIT:
    (void)snprintf(what, sizeof what, "the body is longer than %lu bytes: raise option 'max_body'",
                   (unsigned long)t->body.limit);
    c66_failure_set(t, "too_large", what, "");
    return true;
  case C66_ABORT_HEAD_LIMIT:
    (void)snprintf(what, sizeof what, "the response headers are longer than %lu bytes",
                   (unsigned long)t->max_head);
    c66_failure_set(t, "protocol", what, "");
    return true;
  case C66_ABORT_NONSENSE:
    c66_failure_set(t, "protocol", "the response is not HTTP as it should be", "");
    return true;
  case C66_ABORT_SWITCHED:
    c66_failure_set(t, "protocol", switched, "");
    return true;
  case C66_ABORT_NO_MEMORY:
    c66_failure_set(t, "network", "out of memory while receiving", "");
    return true;
  case C66_ABORT_INPUT_PENDING: /* was started again */
  case C66_ABORT_NONE:
    break;
  }
  return false;
}

bool c66_failure_of_response(c66_transfer *t) {
  if (t->head_state != C66_HEAD_WHOLE)
    c66_failure_set(t, "network", "the connection was cut before the response was complete", "");
  else if (t->status < 200)
    c66_failure_set(t, "protocol", switched, "");
  else
    return false;
  return true;
}

static void fail_by_code(c66_transfer *t, CURLcode result) {
  const char *kind = "network", *what = "the exchange failed";
  size_t i;
  for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].code == result) {
      kind = rows[i].kind;
      what = rows[i].what;
      break;
    }
  c66_failure_set(t, kind, what, detail_of(t, result));
}

void c66_failure_from_curl(c66_transfer *t, CURLcode result) {
  long refusal = tunnel_refusal(t);
  if (fail_by_abort_reason(t))
    return;
  if (result == CURLE_OPERATION_TIMEDOUT) {
    fail_by_time(t);
  } else if (result == CURLE_PEER_FAILED_VERIFICATION) {
    fail_verification(t, result);
  } else if (result == CURLE_OUT_OF_MEMORY && t->head_state == C66_HEAD_OPEN) {
    /* Up to 8.5 that is also how libcurl says that a header line is too long for it. */
    c66_failure_set(t, "protocol", "a response header is too long", "");
  } else if (is_cut_handshake(t, result)) {
    c66_failure_set(t, "connect", "the connection was cut during the TLS handshake",
                    detail_of(t, result));
  } else if (is_bad_chunk(t, result)) {
    c66_failure_set(t, "protocol", "the body is not in chunks as its header says",
                    detail_of(t, result));
  } else if (refusal != 0) {
    fail_by_refusal(t, refusal);
  } else {
    fail_by_code(t, result);
  }
}
