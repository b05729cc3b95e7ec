/* lua_nearest.h - what a misspelt name may have been meant to be. */
#ifndef C66_LUA_NEAREST_H
#define C66_LUA_NEAREST_H

#include "lua/compat.h"

C66_BEGIN_DECLS

/* nearest(word, table...) -> the key of the tables that is spelt most like it, or nil when none is
 */
int c66_lua_nearest(lua_State *L);

/* Raises: the key at `idx` is no name of this object. `names` and `more` index tables of names that
 * are. */
int c66_unknown_name(lua_State *L, const char *object, int idx, int names, int more);

C66_END_DECLS

#endif
