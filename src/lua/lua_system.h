/* lua_system.h - clocks, sleeping, random bytes, the process, whether one may yield: for Lua. */
#ifndef C66_LUA_SYSTEM_H
#define C66_LUA_SYSTEM_H

#include "lua/compat.h"

C66_BEGIN_DECLS

/* monotonic() -> seconds since some moment of the past; not affected by setting the time */
int c66_lua_monotonic(lua_State *L);

/* time() -> Unix seconds with their fraction, which os.time() has not */
int c66_lua_time(lua_State *L);

/* pid() -> the number of this process, an integer */
int c66_lua_pid(lua_State *L);

/* sleep(seconds) -> whether it lasted so long: false when a signal ended it */
int c66_lua_sleep(lua_State *L);

/* random(n) -> n bytes (1 to 256) from the operating system's generator. Raises where there is none. */
int c66_lua_random(lua_State *L);

/* uuid() -> a random UUID (version 4). Raises where random() does. */
int c66_lua_uuid(lua_State *L);

/* is_yieldable() -> whether the calling function may yield: not below require or string.gsub, nor
 * outside of coroutines; nil where this Lua does not tell */
int c66_lua_is_yieldable(lua_State *L);

C66_END_DECLS

#endif
