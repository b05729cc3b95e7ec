/* curl.c - luaopen_cloud66_curl: the HTTP engine and its transfers as userdata. */
#include "http/http.h"
#include "lua/compat.h"
#include "lua/curl_request.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>

/*
 * Every function of a class has both metatables as upvalues and knows its objects by them, not by a
 * name in the registry: two builds of this module in one process cannot take each other's userdata.
 */
enum { ENGINE_MT = 1, TRANSFER_MT = 2, UPVALUES = 2 };

/* The address is the registry key of this state's engine. */
static char engine_key;

static void *check_object(lua_State *L, int idx, int metatable, const char *name) {
  int same = 0;
  if (lua_type(L, idx) == LUA_TUSERDATA && lua_getmetatable(L, idx)) {
    same = lua_rawequal(L, -1, lua_upvalueindex(metatable));
    lua_pop(L, 1);
  }
  if (!same) {
    lua_pushfstring(L, "%s expected, got %s", name, luaL_typename(L, idx));
    luaL_argerror(L, idx, lua_tostring(L, -1));
  }
  return lua_touserdata(L, idx);
}

static c66_engine *check_engine(lua_State *L) {
  return check_object(L, 1, ENGINE_MT, "cloud66.engine");
}

static c66_transfer *check_transfer(lua_State *L) {
  return check_object(L, 1, TRANSFER_MT, "cloud66.transfer");
}

/* [-0, +3] */
static int push_failure(lua_State *L, const c66_error *failure) {
  lua_pushnil(L);
  lua_pushstring(L, failure->kind);
  lua_pushstring(L, failure->message);
  return 3;
}

/* --- transfer --- */

/* transfer:done() -> whether result has something to give. */
static int transfer_done(lua_State *L) {
  lua_pushboolean(L, check_transfer(L)->phase != C66_PHASE_RUNNING);
  return 1;
}

/* transfer:is_sent() -> whether its connection stands, so that it only waits for the response. */
static int transfer_is_sent(lua_State *L) {
  lua_pushboolean(L, c66_transfer_is_sent(check_transfer(L)));
  return 1;
}

/* [-0, +1] Repeated headers are joined by ", ". */
static void push_headers(lua_State *L, const c66_transfer *t) {
  const char *name, *value;
  size_t name_len, value_len, cursor = 0;
  lua_newtable(L);
  while (c66_transfer_next_header(t, &cursor, &name, &name_len, &value, &value_len)) {
    lua_pushlstring(L, name, name_len);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushlstring(L, value, value_len);
    } else {
      lua_pushliteral(L, ", ");
      lua_pushlstring(L, value, value_len);
      lua_concat(L, 3);
    }
    lua_rawset(L, -3);
  }
}

/* [-0, +1] */
static void push_info(lua_State *L, const c66_transfer *t) {
  const char *version = "1.1";
  if (t->http_version == CURL_HTTP_VERSION_1_0)
    version = "1.0";
  else if (t->http_version == CURL_HTTP_VERSION_2_0)
    version = "2";
  else if (t->http_version == CURL_HTTP_VERSION_3)
    version = "3";
  lua_createtable(L, 0, 2);
  lua_pushstring(L, version);
  lua_setfield(L, -2, "http_version");
  lua_pushinteger(L, (lua_Integer)t->connects);
  lua_setfield(L, -2, "connects");
}

/*
 * transfer:result() -> status, headers, body, {http_version, connects}; or nil, kind, message, and
 * the status of a proxy that refused a tunnel. A response is handed over once: the copy in C, which
 * Lua's collector cannot see, is freed at once.
 */
static int transfer_result(lua_State *L) {
  c66_transfer *t = check_transfer(L);
  if (t->phase == C66_PHASE_RUNNING) {
    lua_pushnil(L);
    lua_pushliteral(L, "pending");
    lua_pushliteral(L, "the transfer is not done");
    return 3;
  }
  if (t->phase == C66_PHASE_FAILED) {
    (void)push_failure(L, &t->failure);
    if (t->refusal != 0)
      lua_pushinteger(L, (lua_Integer)t->refusal);
    else
      lua_pushnil(L);
    return 4;
  }
  if (t->phase != C66_PHASE_COMPLETE)
    return luaL_error(L, "result was taken");
  lua_pushinteger(L, (lua_Integer)t->status);
  push_headers(L, t);
  lua_pushlstring(L, t->body.len > 0 ? t->body.data : "", t->body.len);
  push_info(L, t);
  c66_transfer_take(t); /* last: a raise before it loses nothing */
  return 4;
}

/* transfer:cancel(), __gc, __close */
static int transfer_close(lua_State *L) {
  c66_transfer_close(check_transfer(L));
  return 0;
}

static const luaL_Reg transfer_methods[] = {{"done", transfer_done},
                                            {"is_sent", transfer_is_sent},
                                            {"result", transfer_result},
                                            {"cancel", transfer_close},
                                            {NULL, NULL}};

static const luaL_Reg transfer_metamethods[] = {
    {"__gc", transfer_close}, {"__close", transfer_close}, {NULL, NULL}};

/* --- engine --- */

static c66_engine *check_own_engine(lua_State *L) {
  c66_engine *e = check_engine(L);
  if (e->generation != c66_http_generation())
    luaL_error(L, "this engine belongs to the process that forked this one: call engine() again");
  return e;
}

/* engine:start(request) -> transfer; or nil, kind, message */
static int engine_start(lua_State *L) {
  enum { TRANSFER = C66_REQUEST + 1 };
  c66_engine *e = check_own_engine(L);
  c66_request request;
  c66_transfer *t;
  luaL_checktype(L, C66_REQUEST, LUA_TTABLE);
  lua_settop(L, C66_REQUEST);
  t = c66_newud(L, sizeof *t);
  c66_transfer_init(t);
  lua_pushvalue(L, lua_upvalueindex(TRANSFER_MT));
  lua_setmetatable(L, TRANSFER);
  c66_read_request(L, t, &request);
  if (c66_transfer_start(t, e, &request) != C66_OK)
    return push_failure(L, &t->failure);
  lua_settop(L, TRANSFER);
  return 1;
}

static int run(lua_State *L, int wait_ms) {
  c66_engine *e = check_own_engine(L);
  size_t ended = c66_engine_run(e, wait_ms);
  lua_pushinteger(L, (lua_Integer)e->count);
  lua_pushinteger(L, (lua_Integer)ended);
  return 2;
}

/* engine:step() -> running, ended just now. Never blocks. */
static int engine_step(lua_State *L) { return run(L, 0); }

/* engine:wait(ms) -> running, ended just now. Blocks at most `ms`, until something happens. */
static int engine_wait(lua_State *L) {
  lua_Number ms = luaL_checknumber(L, 2);
  luaL_argcheck(L, ms >= 0 && ms <= INT_MAX, 2, "must not be negative, nor out of range");
  return run(L, (int)ceil((double)ms));
}

static int engine_gc(lua_State *L) {
  c66_engine_close(check_engine(L));
  return 0;
}

static const luaL_Reg engine_methods[] = {
    {"start", engine_start}, {"step", engine_step}, {"wait", engine_wait}, {NULL, NULL}};

static const luaL_Reg engine_metamethods[] = {{"__gc", engine_gc}, {NULL, NULL}};

/* --- module --- */

/* curl.engine() -> the engine of this Lua state and process; or nil, kind, message */
static int curl_engine(lua_State *L) {
  c66_engine *e;
  c66_error err;
  lua_pushlightuserdata(L, &engine_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  e = lua_touserdata(L, -1);
  if (e != NULL && c66_engine_usable(e))
    return 1;
  lua_pushlightuserdata(L, &engine_key);
  e = c66_newud(L, sizeof *e);
  c66_engine_init(e);
  lua_pushvalue(L, lua_upvalueindex(ENGINE_MT));
  lua_setmetatable(L, -2);
  if (c66_engine_open(e, &err) != C66_OK)
    return push_failure(L, &err);
  lua_pushvalue(L, -1);
  lua_insert(L, -3);
  lua_rawset(L, LUA_REGISTRYINDEX);
  return 1;
}

static const luaL_Reg module_functions[] = {{"engine", curl_engine}, {NULL, NULL}};

/*
 * libcurl's resolver thread may outlive lua_close, and would return into unmapped code: whatever
 * unloads us, we stay. Where that cannot be asked for, nothing is lost but this safety.
 */
static void stay_mapped(void) {
#if defined(RTLD_NODELETE) && defined(RTLD_NOLOAD)
  Dl_info self;
  void *handle;
  if (dladdr(&engine_key, &self) == 0 || self.dli_fname == NULL)
    return;
  handle = dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
  if (handle != NULL)
    (void)dlclose(handle);
#endif
}

/* [-0, +1] What the libcurl that runs here can do. */
static void push_features(lua_State *L, const curl_version_info_data *info) {
  static const struct {
    const char *name;
    int bit;
  } features[] = {{"ssl", CURL_VERSION_SSL},
                  {"http2", CURL_VERSION_HTTP2},
                  {"asyncdns", CURL_VERSION_ASYNCHDNS},
                  {"ipv6", CURL_VERSION_IPV6},
                  {"gzip", CURL_VERSION_LIBZ},
                  {"brotli", CURL_VERSION_BROTLI}};
  size_t i;
  lua_newtable(L);
  for (i = 0; i < sizeof features / sizeof features[0]; i++) {
    lua_pushboolean(L, (info->features & features[i].bit) != 0);
    lua_setfield(L, -2, features[i].name);
  }
}

/* [-0, +0] Registers into the table on top; luaopen has the metatables where the upvalues have
 * them. */
static void add_functions(lua_State *L, const luaL_Reg *functions) {
  lua_pushvalue(L, ENGINE_MT);
  lua_pushvalue(L, TRANSFER_MT);
  c66_setfuncs(L, functions, UPVALUES);
}

/* [-0, +0] */
static void fill_class(lua_State *L, int metatable, const char *name, const luaL_Reg *methods,
                       const luaL_Reg *metamethods) {
  lua_pushvalue(L, metatable);
  add_functions(L, metamethods);
  lua_newtable(L);
  add_functions(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable"); /* hidden: no foreign object gets it */
  lua_pop(L, 1);
}

C66_EXPORT int luaopen_cloud66_curl(lua_State *L);

int luaopen_cloud66_curl(lua_State *L) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  c66_checkversion(L);
  stay_mapped();
  lua_settop(L, 0);
  lua_newtable(L); /* at ENGINE_MT */
  lua_newtable(L); /* at TRANSFER_MT */
  fill_class(L, ENGINE_MT, "cloud66.engine", engine_methods, engine_metamethods);
  fill_class(L, TRANSFER_MT, "cloud66.transfer", transfer_methods, transfer_metamethods);
  lua_newtable(L);
  add_functions(L, module_functions);
  lua_pushliteral(L, C66_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_pushstring(L, info->version);
  lua_setfield(L, -2, "version");
  push_features(L, info);
  lua_setfield(L, -2, "features");
  return 1;
}
