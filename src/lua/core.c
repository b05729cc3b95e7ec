/* core.c - luaopen_cloud66_core: what of the core Lua sees. Needs no libcurl. */
#include "base/hmac.h"
#include "json/text.h"
#include "json/timestamp.h"
#include "lua/lua_json.h"
#include "lua/lua_nearest.h"
#include "lua/lua_page.h"
#include "lua/lua_system.h"
#include "lua/lua_terminate.h"

/* timestamp(text) -> Unix seconds, or nil when the text is no date */
static int timestamp(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  int64_t seconds;
  if (c66_timestamp(text, length, &seconds))
    c66_pushint(L, seconds);
  else
    lua_pushnil(L);
  return 1;
}

/* hmac(key, message) -> the HMAC-SHA-256 of the message, 32 bytes. Strings alone: of a number it is not
 * clear which digits are meant. */
static int hmac(lua_State *L) {
  unsigned char code[C66_HMAC_SIZE];
  size_t key_length, length;
  const char *key, *message;
  luaL_checktype(L, 1, LUA_TSTRING);
  luaL_checktype(L, 2, LUA_TSTRING);
  key = lua_tolstring(L, 1, &key_length);
  message = lua_tolstring(L, 2, &length);
  c66_hmac(key, key_length, message, length, code);
  lua_pushlstring(L, (const char *)code, sizeof code);
  return 1;
}

/* utf8_problem(text) -> the place of the first byte that is no UTF-8, from 1; nil where all of it is */
static int utf8_problem(lua_State *L) {
  size_t length, run;
  const char *text;
  luaL_checktype(L, 1, LUA_TSTRING);
  text = lua_tolstring(L, 1, &length);
  run = c66_utf8_run(text, length);
  if (run == length)
    lua_pushnil(L);
  else
    c66_pushint(L, (int64_t)run + 1);
  return 1;
}

/* object(metatable) -> a userdata of that metatable: one that no list operation takes for a table
 */
static int object(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  (void)c66_newud(L, 0);
  lua_pushvalue(L, 1);
  lua_setmetatable(L, -2);
  return 1;
}

static const luaL_Reg functions[] = {{"json", c66_lua_json},
                                     {"timestamp", timestamp},
                                     {"hmac", hmac},
                                     {"utf8_problem", utf8_problem},
                                     {"object", object},
                                     {"holds_list", c66_lua_holds_list},
                                     {"nearest", c66_lua_nearest},
                                     {"monotonic", c66_lua_monotonic},
                                     {"time", c66_lua_time},
                                     {"pid", c66_lua_pid},
                                     {"sleep", c66_lua_sleep},
                                     {"random", c66_lua_random},
                                     {"uuid", c66_lua_uuid},
                                     {"is_yieldable", c66_lua_is_yieldable},
                                     {"raise_on_sigterm", c66_lua_raise_on_sigterm},
                                     {NULL, NULL}};

C66_EXPORT int luaopen_cloud66_core(lua_State *L);

int luaopen_cloud66_core(lua_State *L) {
  c66_checkversion(L);
  lua_newtable(L);
  c66_setfuncs(L, functions, 0);
  c66_open_page(L);
  lua_pushlightuserdata(L, NULL); /* the same value as cjson.null and ngx.null */
  lua_setfield(L, -2, "null");
  lua_pushstring(L, C66_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_pushinteger(L, C66_LUA_VERSION);
  lua_setfield(L, -2, "lua_version");
  return 1;
}
