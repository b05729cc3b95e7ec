/* lua_deployment.c - the deployment userdata: one record, which keeps its page alive. */
#include "lua/lua_deployment.h"
#include "base/ascii.h"
#include "lua/lua_nearest.h"
#include "lua/lua_value.h"

#include <string.h>
#include <time.h>

static const char mark = 'd'; /* its address marks our userdata */

typedef struct deployment {
  const char *mark;
  const c66_page *page; /* kept alive by the companion value */
  const c66_record *record;
} deployment;

static const deployment *to_deployment(lua_State *L, int idx) {
  const deployment *d = lua_touserdata(L, idx);
  if (lua_type(L, idx) != LUA_TUSERDATA || c66_rawlen(L, idx) != sizeof *d || d->mark != &mark)
    return NULL;
  return d;
}

static const deployment *check_deployment(lua_State *L, int idx) {
  const deployment *d = to_deployment(L, idx);
  if (d == NULL)
    luaL_argerror(L, idx, "a deployment expected (call it as deployment:method())");
  return d;
}

void c66_pushdeployment(lua_State *L, int page_idx, const c66_page *page, size_t index) {
  deployment *d = c66_newud(L, sizeof *d);
  d->mark = &mark;
  d->page = page;
  d->record = &page->records[index];
  c66_pushkeeper(L, page_idx);
  c66_setcompanion(L, -2);
  lua_pushvalue(L, C66_UP_DEPLOYMENT_META);
  lua_setmetatable(L, -2);
}

/* --- deployment: metamethods --- */

/* Reached by way of our metatable alone, which is hidden: the mark is enough to know our own by. */
static int deployment_index(lua_State *L) {
  const deployment *d = lua_touserdata(L, 1);
  const c66_attribute *a;
  if (d == NULL || d->mark != &mark)
    return luaL_argerror(L, 1, "a deployment expected");
  a = c66_toattribute(L, 2);
  if (a != NULL) {
    c66_pushattribute(L, d->page, d->record, a);
    return 1;
  }
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    lua_rawget(L, C66_UP_DEPLOYMENT_METHODS);
    if (!lua_isnil(L, -1))
      return 1;
  }
  return c66_unknown_name(L, "deployment", 2, C66_UP_NAMES, C66_UP_DEPLOYMENT_METHODS);
}

static int deployment_eq(lua_State *L) {
  const deployment *a = to_deployment(L, 1);
  const deployment *b = to_deployment(L, 2);
  int same = 0;
  if (a != NULL && b != NULL) {
    const c66_record *x = a->record;
    const c66_record *y = b->record;
    same = x->length == y->length &&
           memcmp(a->page->body + x->offset, b->page->body + y->offset, x->length) == 0;
  }
  lua_pushboolean(L, same);
  return 1;
}

static const c66_attribute *attribute_named(const char *name) {
  size_t i;
  for (i = 0; i < c66_attribute_count; i++)
    if (strcmp(c66_attributes[i].name, name) == 0)
      return &c66_attributes[i];
  return NULL;
}

enum { SHOWN = 64, SHORT_HASH = 7 };

/* Appends at most `limit` bytes of a field, made harmless for a terminal; `none` when there is no
 * value. */
static void add_field(lua_State *L, luaL_Buffer *b, const deployment *d, const char *name,
                      size_t limit, const char *none) {
  char shown[SHOWN];
  size_t n = 0;
  size_t i;
  const char *text;
  c66_pushattribute(L, d->page, d->record, attribute_named(name));
  text = lua_tolstring(L, -1, &n); /* turns the id's number into its digits */
  if (n > limit)
    n = limit;
  for (i = 0; i < n; i++)
    shown[i] = c66_is_printable(text[i]) ? text[i] : '?';
  lua_pop(L, 1);
  if (n == 0)
    luaL_addstring(b, none);
  else
    luaL_addlstring(b, shown, n);
}

/* Appends seconds as 1h02m03s, 15m30s or 42s. */
static void add_duration(luaL_Buffer *b, const deployment *d) {
  char text[48];
  c66_value value;
  long long s;
  c66_read(d->page, d->record, attribute_named("duration"), &value);
  if (value.kind != C66_VALUE_INTEGER)
    return;
  s = (long long)value.integer;
  if (s >= 3600)
    (void)snprintf(text, sizeof text, " %lldh%02lldm%02llds", s / 3600, s / 60 % 60, s % 60);
  else if (s >= 60)
    (void)snprintf(text, sizeof text, " %lldm%02llds", s / 60, s % 60);
  else
    (void)snprintf(text, sizeof text, " %llds", s);
  luaL_addstring(b, text);
}

/* One line without a person's address. */
static int deployment_tostring(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "deployment ");
  add_field(L, &b, d, "id", SHOWN, "?");
  luaL_addchar(&b, ' ');
  add_field(L, &b, d, "deploy_type", SHOWN, "?");
  luaL_addchar(&b, ' ');
  add_field(L, &b, d, "outcome", SHOWN, "?");
  luaL_addchar(&b, ' ');
  add_field(L, &b, d, "git_ref", SHOWN, "?");
  luaL_addchar(&b, '@');
  add_field(L, &b, d, "git_hash", SHORT_HASH, "?");
  add_duration(&b, d);
  luaL_pushresult(&b);
  return 1;
}

/* --- deployment: methods --- */

/* The caller's value for null at `idx`: given, or 0. */
static int null_argument(lua_State *L, int idx) { return lua_isnoneornil(L, idx) ? 0 : idx; }

static int deployment_raw(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  size_t length;
  const char *name = luaL_checklstring(L, 2, &length);
  int null = null_argument(L, 3);
  const char *value = c66_find(d->page, d->record, name, length);
  if (value == NULL || (*value == 'n' && null == 0))
    lua_pushnil(L);
  else
    c66_pushchecked(L, d->page, value, null);
  return 1;
}

static int deployment_to_table(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  c66_pushchecked(L, d->page, d->page->body + d->record->offset, null_argument(L, 2));
  return 1;
}

static int deployment_to_json(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  lua_pushlstring(L, d->page->body + d->record->offset, d->record->length);
  return 1;
}

/* Unix seconds: the argument at `idx`, or the present. */
static int64_t time_argument(lua_State *L, int idx) {
  lua_Number now;
  if (lua_isnoneornil(L, idx))
    return (int64_t)time(NULL);
  now = luaL_checknumber(L, idx);
  luaL_argcheck(L, now > -1e15 && now < 1e15, idx, "not a time in Unix seconds");
  return (int64_t)now;
}

/* Seconds from the start to the end, or to now while there is no end. */
static int deployment_elapsed(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  int64_t now = time_argument(L, 2);
  int64_t started;
  c66_value finished;
  c66_read(d->page, d->record, attribute_named("is_finished"), &finished);
  if (finished.boolean)
    c66_pushattribute(L, d->page, d->record, attribute_named("duration"));
  else if (!c66_seconds(d->page, d->record, C66_STARTED_AT, &started))
    lua_pushnil(L);
  else /* a clock that runs ahead of ours must not give a negative time */
    c66_pushint(L, now > started ? now - started : 0);
  return 1;
}

static int fields_next(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  const c66_attribute *a = NULL;
  size_t i = 0;
  if (!lua_isnil(L, 2)) {
    a = c66_toattribute(L, 2);
    if (a == NULL)
      return luaL_error(L, "fields() goes on from a name it did not give");
    i = (size_t)(a - c66_attributes) + 1;
  }
  if (i >= c66_attribute_count || c66_is_predicate(&c66_attributes[i]))
    return 0;
  a = &c66_attributes[i];
  lua_pushstring(L, a->name);
  c66_pushattribute(L, d->page, d->record, a);
  return 2;
}

static int deployment_fields(lua_State *L) {
  (void)check_deployment(L, 1);
  c66_pushclosure(L, fields_next);
  lua_pushvalue(L, 1);
  return 2;
}

int c66_lua_drifted(lua_State *L) {
  const deployment *d = check_deployment(L, 1);
  const c66_attribute *a;
  luaL_checktype(L, 2, LUA_TSTRING);
  a = c66_toattribute(L, 2);
  if (a == NULL)
    lua_pushnil(L);
  else
    lua_pushstring(L, c66_attribute_drift(d->page, d->record, a)); /* NULL pushes nil */
  return 1;
}

int c66_lua_is_deployment(lua_State *L) {
  lua_pushboolean(L, to_deployment(L, 1) != NULL);
  return 1;
}

const luaL_Reg c66_deployment_methods[] = {
    {"raw", deployment_raw},         {"to_table", deployment_to_table},
    {"to_json", deployment_to_json}, {"elapsed", deployment_elapsed},
    {"fields", deployment_fields},   {NULL, NULL}};

const luaL_Reg c66_deployment_metamethods[] = {
    {"__index", deployment_index},       {"__newindex", c66_lua_read_only}, {"__eq", deployment_eq},
    {"__tostring", deployment_tostring}, {"__pairs", deployment_fields},    {NULL, NULL}};
