/* transfer.c - one exchange: its options, its callbacks, its response. */
#include "http/transfer.h"
#include "base/ascii.h"
#include "base/wipe.h"
#include "http/connection.h"
#include "http/global.h"
#include "http/head.h"

#include <string.h>

/* --- callbacks: no Lua in here, and every byte counted --- */

static c66_abort_reason abort_reason_of(c66_alloc result, c66_abort_reason over_limit) {
  if (result == C66_ALLOC_OK)
    return C66_ABORT_NONE;
  return result == C66_ALLOC_LIMIT ? over_limit : C66_ABORT_NO_MEMORY;
}

/* CURLOPT_WRITEFUNCTION: sees inflated bytes, so a small body cannot become a large one. */
static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
  c66_transfer *t = user;
  size_t n = size * count;
  t->abort_reason = abort_reason_of(c66_buffer_append(&t->body, bytes, n), C66_ABORT_BODY_LIMIT);
  return t->abort_reason == C66_ABORT_NONE ? n : 0;
}

/* CURLOPT_HEADERFUNCTION: one whole line a call; also of interim responses, and trailers after the
 * body. */
static size_t on_header(char *line, size_t size, size_t count, void *user) {
  c66_transfer *t = user;
  size_t n = size * count;
  t->abort_reason = n > 0 ? c66_head_take(t, line, n) : C66_ABORT_NONE;
  if (t->head_state == C66_HEAD_OPEN && t->head.len == 0) /* a status line */
    c66_connection_note_version(t, line[5] == '1');
  return t->abort_reason == C66_ABORT_NONE ? n : 0;
}

/* --- options --- */

enum { RECEIVE_BUFFER = 32 * 1024 }; /* bytes */

#define TRY_SETOPT(easy, option, value)                                                            \
  do {                                                                                             \
    CURLcode rc_ = curl_easy_setopt((easy), (option), (value));                                    \
    if (rc_ != CURLE_OK)                                                                           \
      return rc_;                                                                                  \
  } while (0)

/* The same for every request. Those that are libcurl's defaults stand here because a wrong one
 * would hurt. */
static const struct {
  CURLoption option;
  long value;
} fixed_options[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_NOPROGRESS, 1},
    {CURLOPT_FOLLOWLOCATION, 0}, /* a redirect is a response: the token must not travel on */
    {CURLOPT_UNRESTRICTED_AUTH, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_HEADEROPT, CURLHEADER_SEPARATE}, /* a proxy does not see the token */
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2}, /* or newer */
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_TCP_KEEPALIVE, 1},
#if LIBCURL_VERSION_NUM < 0x075500
    {CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS},
#endif
};

static CURLcode set_fixed(CURL *easy) {
  size_t i;
  for (i = 0; i < sizeof fixed_options / sizeof fixed_options[0]; i++)
    TRY_SETOPT(easy, fixed_options[i].option, fixed_options[i].value);
#if LIBCURL_VERSION_NUM >= 0x075500
  TRY_SETOPT(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#endif
  TRY_SETOPT(easy, CURLOPT_ACCEPT_ENCODING, "");
  /* Not every libcurl knows these, and all do without. */
  (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  /* A page of 30 deployments in one read. Refused for a used handle that has kept its buffer. */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Cancelling during a name lookup would otherwise wait for the lookup. */
  (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  return CURLE_OK;
}

static CURLcode set_callbacks(c66_transfer *t) {
  TRY_SETOPT(t->easy, CURLOPT_PRIVATE, t);
  TRY_SETOPT(t->easy, CURLOPT_ERRORBUFFER, t->detail);
  TRY_SETOPT(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  TRY_SETOPT(t->easy, CURLOPT_WRITEDATA, t);
  TRY_SETOPT(t->easy, CURLOPT_HEADERFUNCTION, on_header);
  TRY_SETOPT(t->easy, CURLOPT_HEADERDATA, t);
  return c66_connection_watch(t);
}

static CURLcode set_target(CURL *easy, const c66_request *request) {
  TRY_SETOPT(easy, CURLOPT_URL, request->url);
  if (request->proxy != NULL)
    TRY_SETOPT(easy, CURLOPT_PROXY, request->proxy);
  if (request->ca_file != NULL)
    TRY_SETOPT(easy, CURLOPT_CAINFO, request->ca_file);
  /* A directory too would add its CAs, and keeps libcurl from caching the parsed file. */
  if (request->ca_file != NULL || c66_http_bundle_suffices())
    TRY_SETOPT(easy, CURLOPT_CAPATH, (char *)NULL);
  if (request->fresh_connection) {
    TRY_SETOPT(easy, CURLOPT_FRESH_CONNECT, 1L);
    TRY_SETOPT(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  return CURLE_OK;
}

static CURLcode set_limits(CURL *easy, const c66_request *request) {
  TRY_SETOPT(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout);
  TRY_SETOPT(easy, CURLOPT_TIMEOUT_MS, request->timeout);
  TRY_SETOPT(easy, CURLOPT_LOW_SPEED_LIMIT, request->stall_timeout > 0 ? 1L : 0L);
  TRY_SETOPT(easy, CURLOPT_LOW_SPEED_TIME, request->stall_timeout);
  return CURLE_OK;
}

static bool append_line(c66_transfer *t, const char *line) {
  struct curl_slist *list = curl_slist_append(t->outgoing, line);
  if (list == NULL)
    return false;
  t->outgoing = list;
  return true;
}

/* Whether the caller sends that header; `name` includes the colon. */
static bool has_header(const c66_transfer *t, const char *name) {
  const struct curl_slist *node;
  for (node = t->outgoing; node != NULL; node = node->next)
    if (curl_strnequal(node->data, name, strlen(name)) != 0)
      return true;
  return false;
}

/* POST, PUT and PATCH say "Content-Length: 0" when they have no body; others say nothing. */
static bool wants_body(const c66_request *request) {
  return request->body != NULL || strcmp(request->method, "POST") == 0 ||
         strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
}

static CURLcode set_method(c66_transfer *t, const c66_request *request) {
  if (wants_body(request)) {
    TRY_SETOPT(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    TRY_SETOPT(t->easy, CURLOPT_COPYPOSTFIELDS, request->body != NULL ? request->body : "");
    /* Neither a round trip for "100 Continue" nor a claim that this is a form. */
    if (!append_line(t, "Expect:"))
      return CURLE_OUT_OF_MEMORY;
    if (!has_header(t, "Content-Type:") && !append_line(t, "Content-Type:"))
      return CURLE_OUT_OF_MEMORY;
  } else if (strcmp(request->method, "HEAD") == 0) {
    TRY_SETOPT(t->easy, CURLOPT_NOBODY, 1L);
  }
  TRY_SETOPT(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
  TRY_SETOPT(t->easy, CURLOPT_HTTPHEADER, t->outgoing);
  return CURLE_OK;
}

static const uint64_t FNV_OFFSET = 14695981039346656037u, FNV_PRIME = 1099511628211u;

/* FNV-1a, also of the end of the text; NULL is another text than "". */
static uint64_t hash_text(uint64_t hash, const char *text) {
  if (text == NULL)
    return (hash ^ 1) * FNV_PRIME;
  for (; *text != '\0'; text++)
    hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
  return (hash ^ 0) * FNV_PRIME;
}

/* All that a connection depends on; the scheme apart, since transfers over TLS alone share. */
static uint64_t origin_of(const c66_transfer *t, const c66_request *request) {
  return hash_text(hash_text(hash_text(FNV_OFFSET, t->peer), request->proxy), request->ca_file);
}

CURLcode c66_transfer_prepare(c66_transfer *t, CURL *easy, const c66_request *request) {
  CURLcode rc;
  t->easy = easy;
  t->max_head = request->max_head;
  c66_buffer_init(&t->head,
                  request->max_head); /* what is kept is never longer than what was sent */
  c66_buffer_init(&t->body, request->max_body);
  t->connect_timeout = request->connect_timeout;
  t->timeout = request->timeout;
  t->stall_timeout = request->stall_timeout;
  t->shares = t->tls && !request->fresh_connection;
  t->origin = origin_of(t, request);
  rc = easy != NULL ? set_fixed(easy) : CURLE_OUT_OF_MEMORY;
  if (rc == CURLE_OK)
    rc = set_callbacks(t);
  if (rc == CURLE_OK)
    rc = set_target(easy, request);
  if (rc == CURLE_OK)
    rc = set_limits(easy, request);
  if (rc == CURLE_OK)
    rc = set_method(t, request);
  return rc;
}

void c66_transfer_reconnect(c66_transfer *t) {
  (void)curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
  t->abort_reason = C66_ABORT_NONE;
  t->detail[0] = '\0';
  t->admitted = -1;
  t->sent = false;
}

CURLcode c66_transfer_update(c66_transfer *t, int64_t now, bool waits_for_connection) {
  t->waited = (long)((now - t->started) / 1000);
  if (t->timeout != 0 && t->waited != 0)
    TRY_SETOPT(t->easy, CURLOPT_TIMEOUT_MS, t->timeout > t->waited ? t->timeout - t->waited : 1L);
  /* Over plain HTTP it would wait for a whole response, in vain. */
  TRY_SETOPT(t->easy, CURLOPT_PIPEWAIT, t->shares && waits_for_connection ? 1L : 0L);
  return CURLE_OK;
}

/* --- life --- */

void c66_transfer_init(c66_transfer *t) {
  memset(t, 0, sizeof *t);
  t->engine = NULL;
  t->next = t->prev = NULL;
  t->easy = NULL;
  t->admitted = t->length = -1;
  t->outgoing = NULL;
  c66_buffer_init(&t->head, 0);
  c66_buffer_init(&t->body, 0);
  t->phase = C66_PHASE_EMPTY;
}

c66_alloc c66_transfer_add_header(c66_transfer *t, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  size_t name = colon != NULL ? (size_t)(colon - line) : n;
  c66_buffer empty;
  bool added;
  if (c66_skip_blanks(line, name + 1, n) < n)
    return append_line(t, line) ? C66_ALLOC_OK : C66_ALLOC_MEMORY;
  /* For libcurl "Name:" means to send no such header, and "Name;" to send it empty. */
  c66_buffer_init(&empty, name + 2);
  added = c66_buffer_append(&empty, line, name) == C66_ALLOC_OK &&
          c66_buffer_append(&empty, ";", 2) == C66_ALLOC_OK && append_line(t, empty.data);
  c66_buffer_free(&empty);
  return added ? C66_ALLOC_OK : C66_ALLOC_MEMORY;
}

bool c66_transfer_is_sent(c66_transfer *t) {
  curl_off_t since = 0;
  if (!t->sent && t->admitted >= 0 && t->easy != NULL)
    t->sent =
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &since) == CURLE_OK && since > 0;
  return t->sent;
}

void c66_transfer_note_response(c66_transfer *t) {
  (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
  (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &t->http_version);
  (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &t->connects);
  t->phase = C66_PHASE_COMPLETE;
}

/* The lines hold the token. */
void c66_transfer_forget_request(c66_transfer *t) {
  struct curl_slist *node;
  for (node = t->outgoing; node != NULL; node = node->next)
    c66_wipe(node->data, strlen(node->data));
  curl_slist_free_all(t->outgoing);
  t->outgoing = NULL;
}

void c66_transfer_drop_response(c66_transfer *t) {
  c66_buffer_free(&t->head);
  c66_buffer_free(&t->body);
}

bool c66_transfer_next_header(const c66_transfer *t, size_t *cursor, const char **name,
                              size_t *name_len, const char **value, size_t *value_len) {
  const char *line, *colon, *end;
  if (*cursor >= t->head.len)
    return false;
  line = t->head.data + *cursor;
  end = memchr(line, '\n', t->head.len - *cursor);
  colon = memchr(line, ':', t->head.len - *cursor);
  *name = line;
  *name_len = (size_t)(colon - line);
  *value = colon + 1;
  *value_len = (size_t)(end - colon - 1);
  *cursor += (size_t)(end - line) + 1;
  return true;
}

void c66_transfer_take(c66_transfer *t) {
  t->phase = C66_PHASE_TAKEN;
  c66_transfer_drop_response(t);
}
