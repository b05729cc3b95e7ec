/* curl_request.c - a request as a Lua table, to a request of http.h. */
#include "lua/curl_request.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { DEFAULT_STALL = 15, DEFAULT_MAX_BODY = 16 * 1024 * 1024, DEFAULT_MAX_HEADER = 64 * 1024 };

/* Raises: what is wrong with a field of the request is the caller's mistake. */
static int refuse(lua_State *L, const char *field, const char *reason) {
  lua_pushfstring(L, "request field '%s' %s", field, reason);
  return luaL_argerror(L, C66_REQUEST, lua_tostring(L, -1));
}

/* A mistyped field must not read as one that is not set. */
static void check_fields(lua_State *L) {
  static const char *const known[] = {
      "url",      "method",     "headers", "body",  "connect_timeout",  "timeout", "stall_timeout",
      "max_body", "max_header", "ca_file", "proxy", "fresh_connection", NULL};
  for (lua_pushnil(L); lua_next(L, C66_REQUEST) != 0; lua_pop(L, 1)) {
    const char *const *name = known;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_argerror(L, C66_REQUEST, "request fields have names");
    while (*name != NULL && strcmp(*name, lua_tostring(L, -2)) != 0)
      name++;
    if (*name == NULL)
      refuse(L, lua_tostring(L, -2), "is unknown");
  }
}

/* [-0, +1] The value stays on the stack, which keeps the text alive. NULL if absent. */
static const char *text_field(lua_State *L, const char *field, size_t *n) {
  lua_getfield(L, C66_REQUEST, field);
  *n = 0;
  if (lua_isnil(L, -1))
    return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    refuse(L, field, "must be a string");
  return lua_tolstring(L, -1, n);
}

/* [-0, +1] For texts that libcurl takes as C strings; `refusal` may be NULL. */
static const char *checked_field(lua_State *L, const char *field,
                                 const char *(*refusal)(const char *, size_t)) {
  size_t n;
  const char *text = text_field(L, field, &n), *reason;
  if (text == NULL)
    return NULL;
  if (strlen(text) != n)
    refuse(L, field, "holds a NUL byte");
  reason = refusal != NULL ? refusal(text, n) : NULL;
  if (reason != NULL)
    refuse(L, field, reason);
  return text;
}

/* Rounded up, so that a little above 0 does not become "none". */
static double number_field(lua_State *L, const char *field, double absent, double most) {
  double value = absent;
  lua_getfield(L, C66_REQUEST, field);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      refuse(L, field, "must be a number");
    value = (double)lua_tonumber(L, -1);
    if (!(value >= 0 && value <= most))
      refuse(L, field, "must not be negative, nor out of range");
  }
  lua_pop(L, 1);
  return ceil(value);
}

static long long_field(lua_State *L, const char *field, long absent) {
  return (long)number_field(L, field, (double)absent, (double)INT_MAX);
}

static size_t size_field(lua_State *L, const char *field, size_t absent) {
  const double most = sizeof(size_t) > 4 ? 9007199254740992.0 /* 2^53 */ : 4294967295.0;
  return (size_t)number_field(L, field, (double)absent, most);
}

static void read_headers(lua_State *L, c66_transfer *t) {
  size_t i, count, pairs = 0;
  lua_getfield(L, C66_REQUEST, "headers");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1))
    refuse(L, "headers", "must be a list of strings");
  count = c66_rawlen(L, -1);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    pairs++;
  if (pairs != count)
    refuse(L, "headers", "must be a list of strings without other keys");
  for (i = 1; i <= count; i++) {
    const char *reason;
    lua_rawgeti(L, -1, (int)i);
    if (lua_type(L, -1) != LUA_TSTRING)
      refuse(L, "headers", "must be a list of strings");
    reason = c66_http_refuse_header(lua_tostring(L, -1), c66_rawlen(L, -1));
    if (reason != NULL)
      refuse(L, "headers", lua_pushfstring(L, "(number %d) %s", (int)i, reason));
    if (c66_transfer_add_header(t, lua_tostring(L, -1), c66_rawlen(L, -1)) != C66_ALLOC_OK)
      luaL_error(L, "not enough memory");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* [-0, +1] */
static void read_url(lua_State *L, c66_transfer *t, c66_request *request) {
  const char *reason;
  request->url = checked_field(L, "url", NULL);
  if (request->url == NULL)
    refuse(L, "url", "is missing");
  reason = c66_transfer_set_peer(t, request->url, c66_rawlen(L, -1));
  if (reason != NULL)
    refuse(L, "url", reason);
}

void c66_read_request(lua_State *L, c66_transfer *t, c66_request *request) {
  check_fields(L);
  read_url(L, t, request);
  request->method = checked_field(L, "method", c66_http_refuse_method);
  if (request->method == NULL)
    request->method = "GET";
  request->body = text_field(L, "body", &request->body_len);
  request->ca_file = checked_field(L, "ca_file", NULL);
  request->proxy = checked_field(L, "proxy", c66_http_refuse_proxy);
  request->connect_timeout = long_field(L, "connect_timeout", 0);
  request->timeout = long_field(L, "timeout", 0);
  request->stall_timeout = long_field(L, "stall_timeout", DEFAULT_STALL);
  request->max_body = size_field(L, "max_body", DEFAULT_MAX_BODY);
  request->max_head = size_field(L, "max_header", DEFAULT_MAX_HEADER);
  lua_getfield(L, C66_REQUEST, "fresh_connection");
  if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
    refuse(L, "fresh_connection", "must be a boolean");
  request->fresh_connection = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  read_headers(L, t);
}
