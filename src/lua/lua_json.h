/* lua_json.h - any JSON to plain Lua values. */
#ifndef C66_LUA_JSON_H
#define C66_LUA_JSON_H

#include "json/walk.h"
#include "lua/compat.h"

C66_BEGIN_DECLS

/* [-0, +4] nil, kind, message, offset (bytes from 0; nil unless the kind is "decode"). Returns 4.
 */
int c66_pushfail(lua_State *L, const c66_error *e);

/* [-0, +1] The span's text, unescaped. */
void c66_pushspan(lua_State *L, const c66_span *span);

/* [-0, +1] A number as it was sent: an integer, a float, or its text where neither holds it
 * exactly. */
void c66_pushnumber(lua_State *L, const c66_number *n);

/*
 * [-0, +1] The value at `p`. Null is nil in objects and the light userdata NULL (cjson.null) in
 * arrays and at the top; with `null` (a stack index, or 0) it is that value everywhere. Returns the
 * position behind the value, or NULL with nothing pushed.
 */
const char *c66_pushjson(lua_State *L, const c66_json *j, const char *p, int null);

/* json(text [, null [, metatable of empty lists]]) -> value, or nil, kind, message, offset */
int c66_lua_json(lua_State *L);

/* holds_list(text) -> whether a checked text is a list, or its `response` is: empty, it decodes to
 * the same as {} */
int c66_lua_holds_list(lua_State *L);

C66_END_DECLS

#endif
