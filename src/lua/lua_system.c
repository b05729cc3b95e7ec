/* lua_system.c - clocks, sleeping, random bytes, the process, whether one may yield: for Lua. */
#include "lua/lua_system.h"
#include "base/system.h"

int c66_lua_monotonic(lua_State *L) {
  lua_pushnumber(L, (lua_Number)c66_monotonic());
  return 1;
}

int c66_lua_time(lua_State *L) {
  lua_pushnumber(L, (lua_Number)c66_time());
  return 1;
}

int c66_lua_pid(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)c66_pid());
  return 1;
}

int c66_lua_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "must not be negative, nor out of range");
  lua_pushboolean(L, c66_sleep((double)seconds));
  return 1;
}

static void fill_random(lua_State *L, unsigned char *bytes, size_t n) {
  if (!c66_random(bytes, n))
    luaL_error(L, "the operating system gives no random bytes");
}

int c66_lua_random(lua_State *L) {
  unsigned char bytes[256];
  lua_Number n = luaL_checknumber(L, 1);
  luaL_argcheck(L, n >= 1 && n <= (lua_Number)sizeof bytes, 1, "1 to 256 bytes at a time");
  fill_random(L, bytes, (size_t)n);
  lua_pushlstring(L, (const char *)bytes, (size_t)n);
  return 1;
}

int c66_lua_uuid(lua_State *L) {
  static const char hex[] = "0123456789abcdef";
  unsigned char bytes[16];
  char text[36];
  size_t i, n = 0;
  fill_random(L, bytes, sizeof bytes);
  bytes[6] = (unsigned char)(0x40 | (bytes[6] & 0x0f)); /* version */
  bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f)); /* variant */
  for (i = 0; i < sizeof bytes; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      text[n++] = '-';
    text[n++] = hex[bytes[i] >> 4];
    text[n++] = hex[bytes[i] & 0x0f];
  }
  lua_pushlstring(L, text, n);
  return 1;
}

int c66_lua_is_yieldable(lua_State *L) {
  if (C66_HAS_ISYIELDABLE)
    lua_pushboolean(L, lua_isyieldable(L));
  else
    lua_pushnil(L);
  return 1;
}
