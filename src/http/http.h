/* http.h - HTTP exchanges over libcurl's multi interface, many at once, one thread. */
#ifndef C66_HTTP_H
#define C66_HTTP_H

#include "base/base.h"
#include "base/buffer.h"

#include <curl/curl.h>
#include <stdbool.h>

#if LIBCURL_VERSION_NUM < 0x074200
#error "libcurl 7.66 or newer is needed"
#endif

C66_BEGIN_DECLS

typedef struct c66_transfer c66_transfer;

enum { C66_SPARE_HANDLES = 32, C66_READY_SOCKETS = 16 };

typedef struct c66_transfer_list {
  c66_transfer *first; /* the oldest */
  c66_transfer *last;
} c66_transfer_list;

/* A socket that libcurl has opened, and may have closed since. */
typedef struct c66_connection {
  curl_socket_t fd;
  int port;   /* of this end; 0: not known yet */
  bool http1; /* what its last response spoke */
} c66_connection;

typedef struct c66_connections {
  c66_connection *list; /* owned */
  size_t count, capacity;
} c66_connections;

/*
 * Drives transfers. The caller provides the memory (so that a collector may own it) and must not
 * move it. Belongs to the process that opened it: in a forked child nothing but init and close does
 * anything, and close then lets go of everything without touching it, because parent and child
 * share the sockets.
 */
typedef struct c66_engine {
  CURLM *multi;              /* NULL while closed */
  c66_transfer_list waiting; /* started, and not yet with libcurl; all belong to the caller */
  c66_transfer_list running; /* with libcurl */
  size_t count;              /* of both lists */
  int64_t deadline; /* of c66_monotonic_us, at which libcurl wants to be called; -1: never */
  int64_t opening;  /* microseconds spent on connections since the last run began */
  CURL *spare[C66_SPARE_HANDLES]; /* owned; reset, for transfers to come */
  size_t spares;
  c66_connections connections;
  unsigned generation; /* of the process: see c66_http_generation */
  int epoll;           /* -1 where not used */
  struct {
    curl_socket_t fd;
    int what;                 /* CURL_CSELECT_... */
  } ready[C66_READY_SOCKETS]; /* what epoll has found */
  int found, served;          /* of these */
  bool broken;
} c66_engine;

typedef enum c66_phase {
  C66_PHASE_EMPTY = 0, /* not started */
  C66_PHASE_RUNNING,
  C66_PHASE_COMPLETE, /* status, headers and body are there */
  C66_PHASE_FAILED,   /* failure is there */
  C66_PHASE_TAKEN     /* complete, and the response handed over */
} c66_phase;

/* Why one of our own callbacks aborted the transfer; libcurl itself only says "write error". */
typedef enum c66_abort_reason {
  C66_ABORT_NONE = 0,
  C66_ABORT_BODY_LIMIT,
  C66_ABORT_HEAD_LIMIT,
  C66_ABORT_NONSENSE, /* a head that is not HTTP as it should be */
  C66_ABORT_SWITCHED, /* to another protocol */
  C66_ABORT_NO_MEMORY,
  C66_ABORT_INPUT_PENDING /* on its connection, before anything was sent */
} c66_abort_reason;

typedef enum c66_head_state {
  C66_HEAD_NONE = 0, /* nothing has come */
  C66_HEAD_OPEN,
  C66_HEAD_WHOLE /* up to its empty line */
} c66_head_state;

/* Texts are borrowed for the duration of c66_transfer_start. */
typedef struct c66_request {
  const char *url;
  const char *method;
  const char *body;      /* NULL: none */
  size_t body_len;       /* bytes */
  long connect_timeout;  /* milliseconds; 0: libcurl's default */
  long timeout;          /* milliseconds for the whole exchange; 0: none */
  long stall_timeout;    /* seconds without a byte; 0: none */
  size_t max_body;       /* bytes, after decompression */
  size_t max_head;       /* bytes of all header lines */
  const char *ca_file;   /* NULL: libcurl's own store */
  const char *proxy;     /* NULL: from the environment; "": none */
  bool fresh_connection; /* never sent twice: libcurl itself repeats a request whose kept-alive
                            connection died */
} c66_request;

/* One exchange. The caller provides the memory and must not move it between init and close. */
struct c66_transfer {
  c66_engine *engine; /* not owned; NULL unless running */
  c66_transfer *next;
  c66_transfer *prev;
  CURL *easy;                  /* owned */
  int64_t started;             /* by c66_monotonic_us */
  int64_t admitted;            /* handed to libcurl; -1 while waiting */
  uint64_t origin;             /* hash of host, port, proxy, CA file: who may share a connection */
  struct curl_slist *outgoing; /* owned: header lines to send, wiped before they are freed */
  c66_buffer head;  /* "name:value\n" lines of the last response seen, names in lower case */
  c66_buffer body;  /* decompressed */
  size_t head_seen; /* bytes of header lines so far, interim responses included */
  size_t max_head;
  long connect_timeout, timeout, stall_timeout; /* as in the request */
  long waited;       /* milliseconds of `timeout` before libcurl had it */
  long status;       /* of the final response */
  long refusal;      /* the status by which a proxy refused a tunnel, or 0 */
  long http_version; /* CURL_HTTP_VERSION_... */
  int port;          /* this end of its connection; 0: not known */
  long connects;     /* new connections made: 0 if one was reused */
  c66_phase phase;
  c66_abort_reason abort_reason;
  c66_head_state head_state;
  bool interim;   /* the head is of an interim response, which another follows */
  bool switched;  /* the head is of one that changes protocols */
  bool framing;   /* the last header seen says where the body ends */
  bool coded;     /* a Transfer-Encoding that is more or less than "chunked" */
  int64_t length; /* bytes of the body, as its head says; -1: it does not */
  bool tls;
  bool shares; /* over TLS, and content with a connection that another one has made */
  bool sent;   /* has its connection */
  c66_error failure;
  char peer[280];               /* host[:port] for messages */
  char detail[CURL_ERROR_SIZE]; /* libcurl's own words */
};

/* Another number in a forked process than in its parent, as getpid, but no system call. */
unsigned c66_http_generation(void);

/* Each gives NULL if the text may be sent, else the reason why not, which never quotes the text. */
const char *c66_http_refuse_method(const char *method, size_t n);
const char *c66_http_refuse_header(const char *line, size_t n);
const char *c66_http_refuse_proxy(const char *proxy, size_t n);

void c66_engine_init(c66_engine *e);
c66_status c66_engine_open(c66_engine *e, c66_error *err);

/* Open, whole, and opened by this process. */
bool c66_engine_usable(const c66_engine *e);

/*
 * Does what is to be done now, after waiting at most `wait_ms` for it (0 never blocks; no wait
 * where nothing runs). Returns how many transfers ended.
 */
size_t c66_engine_run(c66_engine *e, int wait_ms);

/* Aborts what still runs. Idempotent. */
void c66_engine_close(c66_engine *e);

void c66_transfer_init(c66_transfer *t);

/* Notes where the URL of the request leads. NULL, or the reason why it may not be asked, as above. */
const char *c66_transfer_set_peer(c66_transfer *t, const char *url, size_t n);

/* Whether its connection stands, so that it only waits for the response. */
bool c66_transfer_is_sent(c66_transfer *t);

/* Adds a line that c66_http_refuse_header has passed. */
c66_alloc c66_transfer_add_header(c66_transfer *t, const char *line, size_t n);

/* Starts a transfer that knows its peer, once. On failure `t->failure` says why. */
c66_status c66_transfer_start(c66_transfer *t, c66_engine *e, const c66_request *request);

/*
 * Walks the headers of a complete transfer: *cursor is 0 at first. False at the end. Name and
 * value are borrowed from the transfer and not terminated; a header sent twice comes twice.
 */
bool c66_transfer_next_header(const c66_transfer *t, size_t *cursor, const char **name,
                              size_t *name_len, const char **value, size_t *value_len);

/* Frees the response once it has been handed over. */
void c66_transfer_take(c66_transfer *t);

/* Stops it if it runs and frees what it holds; a response not yet taken becomes a failure.
 * Idempotent. */
void c66_transfer_close(c66_transfer *t);

C66_END_DECLS

#endif
