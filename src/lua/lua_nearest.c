/* lua_nearest.c - what a misspelt name may have been meant to be. */
#include "lua/lua_nearest.h"
#include "base/nearest.h"

/* What is nearest to a misspelt name so far. */
typedef struct search {
  const char *name;
  size_t length;
  unsigned best; /* its distance */
} search;

static void start_search(search *s, const char *name, size_t length) {
  unsigned limit = (unsigned)(length < 6 ? 1 : length / 3);
  s->name = name;
  s->length = length;
  s->best = (limit < 3 ? limit : 3) + 1;
}

/* [-1, +1] Replaces the value on top by a key of the table at `idx` (absolute) that is nearer. */
static void search_keys(lua_State *L, search *s, int idx) {
  int top = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    size_t n;
    const char *key;
    unsigned distance;
    if (lua_type(L, -2) != LUA_TSTRING)
      continue;
    key = lua_tolstring(L, -2, &n);
    distance = c66_distance(s->name, s->length, key, n, s->best);
    if (distance < s->best) {
      s->best = distance;
      lua_pushvalue(L, -2);
      lua_replace(L, top);
    }
  }
}

int c66_lua_nearest(lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  int top = lua_gettop(L);
  search s;
  int i;
  start_search(&s, name, length);
  lua_pushnil(L);
  for (i = 2; i <= top; i++) {
    luaL_checktype(L, i, LUA_TTABLE);
    search_keys(L, &s, i);
  }
  return 1;
}

int c66_unknown_name(lua_State *L, const char *object, int idx, int names, int more) {
  size_t length;
  const char *name;
  search s;
  if (lua_type(L, idx) != LUA_TSTRING)
    return luaL_error(L, "a %s is read by names, not by a %s", object, luaL_typename(L, idx));
  name = lua_tolstring(L, idx, &length);
  start_search(&s, name, length);
  lua_pushnil(L);
  search_keys(L, &s, names);
  search_keys(L, &s, more);
  if (lua_isnil(L, -1))
    return luaL_error(L, "a %s has no field, predicate or method '%s'", object, name);
  return luaL_error(L, "a %s has no field, predicate or method '%s': did you mean '%s'?", object,
                    name, lua_tostring(L, -1));
}
