/* lua_json.c - any JSON to plain Lua values: stacks, error bodies, undocumented keys. */
#include "lua/lua_json.h"
#include "base/ascii.h"

int c66_pushfail(lua_State *L, const c66_error *e) {
  lua_pushnil(L);
  lua_pushstring(L, e->kind);
  lua_pushstring(L, e->message);
  if (e->kind[0] == 'd')
    c66_pushint(L, (int64_t)e->offset);
  else
    lua_pushnil(L);
  return 4;
}

void c66_pushspan(lua_State *L, const c66_span *span) {
  char small[256];
  char *plain = small;
  if (!span->escaped) {
    lua_pushlstring(L, span->start, span->length);
    return;
  }
  if (span->length > sizeof small) /* memory that Lua owns, should the push below raise */
    plain = lua_newuserdata(L, span->length);
  lua_pushlstring(L, plain, c66_json_unescape(span, plain));
  if (plain != small)
    lua_remove(L, -2);
}

/* [-0, +1] A double, or the text where it is beyond all doubles. */
static void push_real(lua_State *L, const c66_number *n) {
  char small[64];
  size_t size = n->length + C66_JSON_POINT + 1;
  char *scratch = size <= sizeof small ? small : lua_newuserdata(L, size);
  double real;
  if (c66_json_real(n->start, n->length, scratch, &real))
    lua_pushnumber(L, (lua_Number)real);
  else
    lua_pushlstring(L, n->start, n->length);
  if (scratch != small)
    lua_remove(L, -2);
}

void c66_pushnumber(lua_State *L, const c66_number *n) {
  if (n->kind == C66_NUMBER_INTEGER)
    c66_pushint(L, n->integer);
  else if (n->kind == C66_NUMBER_REAL)
    push_real(L, n);
  else
    lua_pushlstring(L, n->start, n->length);
}

/* The containers being built: for an array how many elements it has, for an object OBJECT. */
enum { OBJECT = -1 };

typedef struct builder {
  lua_State *L;
  const c66_json *json;
  int null;       /* stack index of the caller's null, or 0 */
  int empty_list; /* stack index of the metatable of empty lists, or 0 */
  int depth;
  int count[C66_JSON_DEPTH];
} builder;

/* [-0, +1] */
static void push_null(builder *b, int in_object) {
  if (b->null != 0)
    lua_pushvalue(b->L, b->null);
  else if (in_object)
    lua_pushnil(b->L);
  else
    lua_pushlightuserdata(b->L, NULL);
}

/* [-0, +1] A value that is no container. */
static const char *push_scalar(builder *b, const char *p) {
  if (*p == '"') {
    c66_span span;
    p = c66_json_string(b->json, p + 1, &span);
    if (p != NULL)
      c66_pushspan(b->L, &span);
  } else if (*p == '-' || c66_is_digit(*p)) {
    c66_number n;
    p = c66_json_number(b->json, p, &n);
    if (p != NULL)
      c66_pushnumber(b->L, &n);
  } else {
    char first = *p;
    p = c66_json_literal(b->json, p);
    if (p != NULL && first == 'n')
      push_null(b, b->depth > 0 && b->count[b->depth - 1] == OBJECT);
    else if (p != NULL)
      lua_pushboolean(b->L, first == 't');
  }
  return p;
}

/* [-1 (object: -2), +0] Puts the value on top into the innermost container. */
static void store(builder *b) {
  int *count = &b->count[b->depth - 1];
  if (*count == OBJECT)
    lua_rawset(b->L, -3);
  else
    lua_rawseti(b->L, -2, ++*count);
}

/*
 * From the start of a container (`first`), or from behind a value in it, to the next value to read,
 * with an object's key pushed; or, storing each container that ends into the one around it, out of
 * the outermost.
 */
static const char *next_value(builder *b, const char *p, int first) {
  while (b->depth > 0) {
    int more = 0;
    if (b->count[b->depth - 1] == OBJECT) {
      c66_span key;
      p = c66_json_member(b->json, p, first, &key);
      if (p != NULL && key.start != NULL) {
        c66_pushspan(b->L, &key);
        more = 1;
      }
    } else {
      p = c66_json_element(b->json, p, first, &more);
    }
    if (p == NULL || more)
      return p;
    first = 0;
    b->depth--;
    if (b->count[b->depth] == 0 && b->empty_list != 0) {
      lua_pushvalue(b->L, b->empty_list);
      lua_setmetatable(b->L, -2);
    }
    if (b->depth > 0)
      store(b);
  }
  return p;
}

static const char *open_container(builder *b, const char *p) {
  if (b->depth == C66_JSON_DEPTH)
    return c66_json_too_deep(b->json, p);
  luaL_checkstack(b->L, 8, "JSON nested too deeply");
  lua_newtable(b->L);
  b->count[b->depth++] = *p == '{' ? OBJECT : 0;
  return next_value(b, p, 1);
}

/* [-0, +1] c66_pushjson, with a stack index more: of a metatable for empty lists, or 0. */
static const char *push_marked(lua_State *L, const c66_json *j, const char *p, int null,
                               int empty_list) {
  int top = lua_gettop(L);
  builder b;
  b.L = L;
  b.json = j;
  b.null = null;
  b.empty_list = empty_list;
  b.depth = 0;
  luaL_checkstack(L, 8, "JSON nested too deeply");
  do {
    if (*p == '{' || *p == '[') {
      p = open_container(&b, p);
    } else {
      p = push_scalar(&b, p);
      if (p != NULL && b.depth > 0) {
        store(&b);
        p = next_value(&b, p, 0);
      }
    }
  } while (p != NULL && b.depth > 0);
  if (p == NULL)
    lua_settop(L, top);
  return p;
}

const char *c66_pushjson(lua_State *L, const c66_json *j, const char *p, int null) {
  return push_marked(L, j, p, null, 0);
}

int c66_lua_json(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  int null = lua_isnoneornil(L, 2) ? 0 : 2;
  int empty_list = lua_isnoneornil(L, 3) ? 0 : 3;
  c66_error error;
  const char *p;
  c66_json j;
  if (empty_list != 0)
    luaL_checktype(L, empty_list, LUA_TTABLE);
  c66_json_init(&j, text, length, &error);
  p = push_marked(L, &j, c66_json_space(text), null, empty_list);
  if (p != NULL && c66_json_end(&j, p) != NULL)
    return 1;
  return c66_pushfail(L, &error);
}

int c66_lua_holds_list(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  const char *value = c66_json_space(text);
  c66_error error;
  c66_json j;
  c66_json_init(&j, text, length, &error);
  if (*value == '{')
    value = c66_json_find(&j, value, "response", 8);
  lua_pushboolean(L, value != NULL && *value == '[');
  return 1;
}
