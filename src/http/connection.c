/* connection.c - whether a kept-alive connection may take another request.
 *
 * Over HTTP/1 a response belongs to a request by its place alone. So what a server has sent before it
 * is asked - a response too many, bytes behind a body - would be taken for the response to the next
 * request. Most libcurls look for it when they choose a connection, but 7.88 does not, those before
 * 7.73 and behind 8.21 do so once a second, and none sees what TLS has decrypted already. So it is
 * looked for here, where the connection stands and nothing is sent yet. What comes after that cannot
 * be told from the response.
 *
 * Over HTTP/2 a response names its request, and there is always something to read. */
#include "http/connection.h"
#include "http/global.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* More than a process may have open. */
enum { MOST_CONNECTIONS = 1 << 20, FIRST_CAPACITY = 16 };

static c66_connection *find_socket(c66_connections *connections, curl_socket_t fd) {
  size_t i;
  for (i = 0; i < connections->count; i++)
    if (connections->list[i].fd == fd)
      return &connections->list[i];
  return NULL;
}

static c66_connection *append_one(c66_connections *connections) {
  if (connections->count == connections->capacity) {
    size_t capacity = connections->capacity > 0 ? connections->capacity * 2 : FIRST_CAPACITY;
    c66_connection *list = NULL;
    if (capacity <= MOST_CONNECTIONS)
      list = realloc(connections->list, capacity * sizeof *list);
    if (list == NULL)
      return NULL;
    connections->list = list;
    connections->capacity = capacity;
  }
  return &connections->list[connections->count++];
}

/* Nobody says when a socket is closed: its entry goes to the next one that gets its number. */
static bool add_socket(c66_connections *connections, curl_socket_t fd) {
  c66_connection *connection = find_socket(connections, fd);
  if (connection == NULL)
    connection = append_one(connections);
  if (connection == NULL)
    return false;
  connection->fd = fd;
  connection->port = 0;
  connection->http1 = false;
  return true;
}

/* CURLOPT_SOCKOPTFUNCTION. Up to 8.9 libcurl leaves its sockets open to the programs that this
 * process starts. */
static int on_new_socket(void *user, curl_socket_t fd, curlsocktype purpose) {
  c66_transfer *t = user;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (t->engine == NULL || add_socket(&t->engine->connections, fd))
    return CURL_SOCKOPT_OK;
  t->abort_reason = C66_ABORT_NO_MEMORY;
  return CURL_SOCKOPT_ERROR;
}

#if LIBCURL_VERSION_NUM >= 0x075000 /* 7.80; what is older has no such callback */

/* 0: none yet, or none at all. */
static int local_port(curl_socket_t fd) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  socklen_t size = sizeof address;
  memset(&address, 0, sizeof address);
  if (getsockname(fd, &address.any, &size) != 0)
    return 0;
  if (address.any.sa_family == AF_INET)
    return ntohs(address.v4.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

/* The end of the connection is left to libcurl, which then sends the request anew by itself. */
static bool has_input(curl_socket_t fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Whether TLS holds something that it has taken from the socket. */
static bool has_decrypted(const c66_transfer *t) {
  struct curl_tlssessioninfo *session = NULL;
  return t->tls && curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
         session != NULL && session->backend == CURLSSLBACKEND_OPENSSL &&
         session->internals != NULL && c66_http_has_pending(session->internals);
}

/*
 * CURLOPT_PREREQFUNCTION. The port tells which socket it is, since CURLINFO_ACTIVESOCKET does not do
 * so here. Two may have the same one, towards different hosts, and so may one that is closed: then
 * what the other has to read may cost us a new connection.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): as libcurl declares it */
static int on_connected(void *user, char *remote, char *local, int remote_port, int port) {
  c66_transfer *t = user;
  c66_connections *connections = &t->engine->connections;
  size_t i;
  (void)remote;
  (void)local;
  (void)remote_port;
  t->port = port;
  for (i = 0; i < connections->count; i++) {
    c66_connection *c = &connections->list[i];
    if (c->port == 0)
      c->port = local_port(c->fd);
    if (c->port == port && c->http1 && (has_input(c->fd) || has_decrypted(t))) {
      t->abort_reason = C66_ABORT_INPUT_PENDING;
      return CURL_PREREQFUNC_ABORT;
    }
  }
  return CURL_PREREQFUNC_OK;
}

#endif

CURLcode c66_connection_watch(c66_transfer *t) {
  CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
  if (rc == CURLE_OK)
    rc = curl_easy_setopt(t->easy, CURLOPT_SOCKOPTDATA, t);
#if LIBCURL_VERSION_NUM >= 0x075000
  if (rc == CURLE_OK && curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK)
    rc = curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
#endif
  return rc;
}

void c66_connection_note_version(const c66_transfer *t, bool http1) {
  c66_connections *connections = &t->engine->connections;
  size_t i;
  for (i = 0; t->port != 0 && i < connections->count; i++)
    if (connections->list[i].port == t->port)
      connections->list[i].http1 = http1;
}

void c66_connections_free(c66_connections *connections) {
  free(connections->list);
  connections->list = NULL;
  connections->count = connections->capacity = 0;
}
