/* compat.h - the only file that knows which Lua it is compiled for. */
#ifndef C66_COMPAT_H
#define C66_COMPAT_H

#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>

/*
 * c66_newud: a full userdata that can have one companion value.
 * c66_setcompanion [-1, +0]: ties the value on top to the userdata at `idx` (an absolute index), so
 * that it lives as long.
 * C66_COMPANION_IS_TABLE: companions must be tables, as before 5.3. c66_getcompanion [-0, +1] is for
 * these Luas alone.
 * C66_HAS_INTEGERS: lua_Integer is a 64-bit subtype of its own; otherwise numbers are doubles.
 */
#if LUA_VERSION_NUM >= 504
#define c66_newud(L, size) lua_newuserdatauv((L), (size), 1)
#define c66_setcompanion(L, idx) ((void)lua_setiuservalue((L), (idx), 1))
#elif LUA_VERSION_NUM >= 502
#define c66_newud(L, size) lua_newuserdata((L), (size))
#define c66_setcompanion(L, idx) lua_setuservalue((L), (idx))
#define c66_getcompanion(L, idx) lua_getuservalue((L), (idx))
#else
#define c66_newud(L, size) lua_newuserdata((L), (size))
#define c66_setcompanion(L, idx) ((void)lua_setfenv((L), (idx)))
#define c66_getcompanion(L, idx) lua_getfenv((L), (idx))
#endif

#define C66_COMPANION_IS_TABLE (LUA_VERSION_NUM < 503)
#if LUA_VERSION_NUM >= 503
#define C66_HAS_INTEGERS (LUA_MAXINTEGER > 0x7fffffff) /* not where Lua was built for 32 bits */
#else
#define C66_HAS_INTEGERS 0
#endif
#define C66_LUA_VERSION LUA_VERSION_NUM

#if LUA_VERSION_NUM >= 502
#define c66_rawlen(L, idx) ((size_t)lua_rawlen((L), (idx)))
#define c66_setfuncs(L, funcs, nup) luaL_setfuncs((L), (funcs), (nup))
#define c66_checkversion(L) luaL_checkversion(L)
#else
#define c66_rawlen(L, idx) lua_objlen((L), (idx))
#define c66_checkversion(L) ((void)(L))

/* [-nup, +0] Registers functions into the table below the upvalues, each sharing copies of them. */
static inline void c66_setfuncs(lua_State *L, const luaL_Reg *funcs, int nup) {
  luaL_checkstack(L, nup + 2, "too many upvalues");
  for (; funcs->name != NULL; funcs++) {
    int i;
    lua_pushstring(L, funcs->name);
    for (i = 0; i < nup; i++)
      lua_pushvalue(L, -(nup + 1));
    lua_pushcclosure(L, funcs->func, nup);
    lua_rawset(L, -(nup + 3));
  }
  lua_pop(L, nup);
}
#endif

/*
 * lua_isyieldable: Lua 5.3 and LuaJIT have it. A module built for PUC Lua 5.1 may run in LuaJIT, so it
 * is looked for when the module is loaded: NULL where there is none.
 */
#if LUA_VERSION_NUM < 503 && defined(__GNUC__)
LUA_API int lua_isyieldable(lua_State *L);
#pragma weak lua_isyieldable
#define C66_HAS_ISYIELDABLE (lua_isyieldable != NULL)
#else
#define C66_HAS_ISYIELDABLE (LUA_VERSION_NUM >= 503)
#endif

/* Largest whole number a double prints and holds without loss in Lua's own "%.14g". */
#define C66_EXACT_DOUBLE 100000000000000LL /* 1e14 */

/* [-0, +1] Pushes an integer exactly: a Lua integer, else a number below 1e14, else its digits as a
 * string. */
static inline void c66_pushint(lua_State *L, int64_t value) {
#if C66_HAS_INTEGERS
  lua_pushinteger(L, (lua_Integer)value);
#else
  if (value > -C66_EXACT_DOUBLE && value < C66_EXACT_DOUBLE)
    lua_pushnumber(L, (lua_Number)value);
  else {
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRId64, value);
    lua_pushstring(L, digits);
  }
#endif
}

#endif
