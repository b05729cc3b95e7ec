/* lua_value.c - what pages and deployments share: their upvalues, names and values. */
#include "lua/lua_value.h"
#include "base/hash.h"
#include "lua/lua_json.h"

/* [-0, +1] The span's text with ASCII letters in lower case. */
static void push_lower(lua_State *L, const c66_span *span) {
  char small[64];
  char *text = span->length <= sizeof small ? small : lua_newuserdata(L, span->length);
  lua_pushlstring(L, text, c66_json_unescape_lower(span, text));
  if (text != small)
    lua_remove(L, -2);
}

/* [-0, +1] A number as sent. */
static void push_number(lua_State *L, const c66_page *page, const c66_span *span) {
  c66_error error;
  c66_number n;
  c66_json j;
  c66_page_json(page, &j, &error);
  if (c66_json_number(&j, span->start, &n) != NULL)
    c66_pushnumber(L, &n);
  else
    lua_pushnil(L);
}

void c66_pushattribute(lua_State *L, const c66_page *page, const c66_record *record,
                       const c66_attribute *a) {
  c66_value value;
  c66_read(page, record, a, &value);
  switch (value.kind) {
  case C66_VALUE_NIL:
    lua_pushnil(L);
    break;
  case C66_VALUE_BOOLEAN:
    lua_pushboolean(L, value.boolean);
    break;
  case C66_VALUE_INTEGER:
    c66_pushint(L, value.integer);
    break;
  case C66_VALUE_NUMBER:
    push_number(L, page, &value.span);
    break;
  case C66_VALUE_TEXT:
    c66_pushspan(L, &value.span);
    break;
  case C66_VALUE_LOWER:
    push_lower(L, &value.span);
    break;
  case C66_VALUE_WORD:
    lua_rawgeti(L, C66_UP_WORDS, (int)value.integer);
    break;
  }
}

static size_t bucket_of(const char *address) {
  return c66_hash_bits((uintptr_t)address, C66_NAME_BITS);
}

static size_t next_bucket(size_t bucket) { return (bucket + 1) & ((1U << C66_NAME_BITS) - 1); }

void c66_add_name(lua_State *L, int idx, c66_shared *shared, const c66_attribute *a) {
  const char *address = lua_tostring(L, idx);
  size_t bucket = bucket_of(address);
  while (shared->names[bucket].address != NULL)
    bucket = next_bucket(bucket);
  shared->names[bucket].address = address;
  shared->names[bucket].attribute = a;
}

const c66_attribute *c66_toattribute(lua_State *L, int idx) {
  const c66_shared *shared = lua_touserdata(L, C66_UP_SHARED);
  const char *address = lua_tostring(L, idx);
  size_t bucket = bucket_of(address);
  while (shared->names[bucket].address != address) {
    if (shared->names[bucket].address == NULL)
      return NULL;
    bucket = next_bucket(bucket);
  }
  return shared->names[bucket].attribute;
}

void c66_pushchecked(lua_State *L, const c66_page *page, const char *p, int null) {
  c66_error error;
  c66_json j;
  c66_page_json(page, &j, &error);
  if (c66_pushjson(L, &j, p, null) == NULL)
    luaL_error(L, "internal error: %s", error.message);
}

void c66_pushclosure(lua_State *L, lua_CFunction f) {
  int i;
  luaL_checkstack(L, C66_UPVALUES + 1, "too many upvalues");
  for (i = 1; i <= C66_UPVALUES; i++)
    lua_pushvalue(L, lua_upvalueindex(i));
  lua_pushcclosure(L, f, C66_UPVALUES);
}

void c66_pushclosure_own(lua_State *L, lua_CFunction f) {
  int i;
  luaL_checkstack(L, C66_UPVALUES + 1, "too many upvalues");
  for (i = 1; i <= C66_UPVALUES; i++) {
    lua_pushvalue(L, lua_upvalueindex(i));
    lua_insert(L, -2);
  }
  lua_pushcclosure(L, f, C66_UPVALUES + 1);
}

int c66_lua_read_only(lua_State *L) {
  return luaL_error(L,
                    "deployments and pages are read-only (d:to_table() gives a table to change)");
}
