/* base.h - feature macros, visibility, the error that every folder reports with. */
#ifndef C66_BASE_H
#define C66_BASE_H

/* clock_gettime, getpid; dladdr and RTLD_NODELETE want the wider sets. Must precede every system
 * header. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif

#include <stddef.h>
#include <stdint.h>

#define C66_VERSION "0.1.0"

/*
 * LuaRocks compiles without -fvisibility=hidden, so the source says it: every header that declares
 * symbols wraps them in this pair, and only C66_EXPORT reaches the symbol table.
 */
#if defined(__GNUC__)
#define C66_BEGIN_DECLS _Pragma("GCC visibility push(hidden)")
#define C66_END_DECLS _Pragma("GCC visibility pop")
#define C66_EXPORT __attribute__((visibility("default")))
#define C66_UNLIKELY(x) __builtin_expect(!!(x), 0)
#elif defined(_WIN32)
#define C66_BEGIN_DECLS
#define C66_END_DECLS
#define C66_EXPORT __declspec(dllexport)
#define C66_UNLIKELY(x) (x)
#else
#define C66_BEGIN_DECLS
#define C66_END_DECLS
#define C66_EXPORT
#define C66_UNLIKELY(x) (x)
#endif

typedef enum c66_status { C66_OK = 0, C66_FAIL = -1 } c66_status;

/* What went wrong. `kind` is one of the kinds the Lua layer documents ("decode", "too_large", ...).
 */
typedef struct c66_error {
  const char *kind;  /* static text */
  size_t offset;     /* byte offset into the input, for kind "decode" */
  char message[256]; /* NUL-terminated, printable; what it quotes of a peer is cleaned */
} c66_error;

#endif
