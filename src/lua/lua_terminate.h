/* lua_terminate.h - SIGTERM as an error in Lua. */
#ifndef C66_LUA_TERMINATE_H
#define C66_LUA_TERMINATE_H

#include "lua/compat.h"

C66_BEGIN_DECLS

/* raise_on_sigterm(): from now on the first SIGTERM raises "terminated!" in the code that this state's main
 * thread runs, as Ctrl-C raises "interrupted!" in the interpreter. The second one ends the process. For
 * programs: it is the whole process that changes. Lua 5.1 and LuaJIT do not tell a coroutine the main thread: it raises there. */
int c66_lua_raise_on_sigterm(lua_State *L);

C66_END_DECLS

#endif
