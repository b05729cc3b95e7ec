/* check.c - what may be sent: methods, header lines, proxies and URLs. */
#include "base/ascii.h"
#include "http/http.h"

#include <stdio.h>
#include <string.h>

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

static bool has_control_or_space(const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++)
    if (is_control(s[i]) || s[i] == ' ')
      return true;
  return false;
}

/* Parses the URL, and writes host[:port]. */
static CURLUcode parse_url(const char *url, char *peer, size_t size) {
  CURLU *parsed = curl_url();
  char *host = NULL, *port = NULL;
  CURLUcode rc = CURLUE_OUT_OF_MEMORY;
  if (parsed != NULL)
    rc = curl_url_set(parsed, CURLUPART_URL, url, 0);
  if (rc == CURLUE_OK)
    rc = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
  if (rc == CURLUE_OK) {
    (void)curl_url_get(parsed, CURLUPART_PORT, &port, 0); /* none is no mistake */
    (void)snprintf(peer, size, "%s%s%s", host, port != NULL ? ":" : "", port != NULL ? port : "");
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parsed);
  return rc;
}

const char *c66_transfer_set_peer(c66_transfer *t, const char *url, size_t n) {
  CURLUcode rc;
  if (has_control_or_space(url, n))
    return "holds a space or a control character";
  t->tls = curl_strnequal(url, "https://", 8) != 0;
  if (!t->tls && curl_strnequal(url, "http://", 7) == 0)
    return "must start with https:// or http://";
  rc = parse_url(url, t->peer, sizeof t->peer);
  /* Out of memory is nobody's mistake: c66_transfer_start will report it. */
  return rc == CURLUE_OK || rc == CURLUE_OUT_OF_MEMORY ? NULL : "is not a valid URL";
}

const char *c66_http_refuse_method(const char *method, size_t n) {
  return c66_is_token(method, n) ? NULL : "is not an HTTP method";
}

const char *c66_http_refuse_header(const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  size_t i;
  if (colon == NULL || !c66_is_token(line, (size_t)(colon - line)))
    return "is not of the form 'Name: value'";
  for (i = (size_t)(colon - line); i < n; i++)
    if (is_control(line[i]) && line[i] != '\t')
      return "holds a line break or another control character";
  return NULL;
}

const char *c66_http_refuse_proxy(const char *proxy, size_t n) {
  return has_control_or_space(proxy, n) ? "holds a space or a control character" : NULL;
}
