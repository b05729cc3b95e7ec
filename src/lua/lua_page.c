/* lua_page.c - the page userdata, and the registration of it and of deployments. */
#include "lua/lua_page.h"
#include "deployment/trend.h"
#include "lua/lua_deployment.h"
#include "lua/lua_json.h"
#include "lua/lua_model.h"
#include "lua/lua_nearest.h"
#include "lua/lua_value.h"

#include <string.h>

static const char mark = 'p'; /* its address marks our userdata */

typedef struct page_box {
  const char *mark;
  c66_page page; /* followed by the rest of its block */
} page_box;

static const c66_page *to_page(lua_State *L, int idx) {
  const page_box *box = lua_touserdata(L, idx);
  if (lua_type(L, idx) != LUA_TUSERDATA || c66_rawlen(L, idx) < sizeof *box || box->mark != &mark)
    return NULL;
  return &box->page;
}

static const c66_page *check_page(lua_State *L, int idx) {
  const c66_page *page = to_page(L, idx);
  if (page == NULL)
    luaL_argerror(L, idx, "a page expected (call it as page:method())");
  return page;
}

/* --- page --- */

/* [-0, +1] A number of the page's pagination; nil where it was not sent. */
static void push_number(lua_State *L, const c66_page *page, size_t offset) {
  int64_t value;
  memcpy(&value, (const char *)&page->pagination + offset, sizeof value);
  if (value == C66_NO_NUMBER)
    lua_pushnil(L);
  else
    c66_pushint(L, value);
}

/* [-0, +1] A list of {index=, field=, got=}: known fields whose JSON type is not the documented
 * one. */
static void push_drift(lua_State *L, const c66_page *page) {
  int found = 0;
  uint32_t i;
  lua_newtable(L);
  for (i = 0; i < page->count; i++) {
    int f;
    for (f = 0; f < C66_FIELD_COUNT; f++) {
      const char *got = c66_drift(page, &page->records[i], (c66_field_id)f);
      if (got == NULL)
        continue;
      lua_createtable(L, 0, 3);
      c66_pushint(L, (int64_t)i + 1);
      lua_setfield(L, -2, "index");
      lua_pushstring(L, c66_fields[f].name);
      lua_setfield(L, -2, "field");
      lua_pushstring(L, got);
      lua_setfield(L, -2, "got");
      lua_rawseti(L, -2, ++found);
    }
  }
}

/* Of c66_pagination. */
static const struct {
  const char *name;
  size_t offset;
} page_numbers[] = {{"current", offsetof(c66_pagination, current)},
                    {"next", offsetof(c66_pagination, next)},
                    {"previous", offsetof(c66_pagination, previous)},
                    {"pages", offsetof(c66_pagination, pages)},
                    {"total", offsetof(c66_pagination, total)}};

enum { PAGE_NUMBERS = sizeof page_numbers / sizeof page_numbers[0] };

/* [-0, +1] The page's field; 0 when there is none of that name. */
static int push_page_field(lua_State *L, const c66_page *page, const char *name) {
  size_t i;
  for (i = 0; i < PAGE_NUMBERS; i++)
    if (strcmp(name, page_numbers[i].name) == 0) {
      push_number(L, page, page_numbers[i].offset);
      return 1;
    }
  if (strcmp(name, "drift") != 0)
    return 0;
  push_drift(L, page);
  return 1;
}

/* [-0, +1] A set of the names of a page's fields. */
static void push_page_names(lua_State *L) {
  size_t i;
  lua_newtable(L);
  for (i = 0; i < PAGE_NUMBERS; i++) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, page_numbers[i].name);
  }
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "drift");
}

static int unknown_page_name(lua_State *L) {
  push_page_names(L);
  return c66_unknown_name(L, "page", 2, lua_gettop(L), C66_UP_PAGE_METHODS);
}

/* Reached by way of our metatable alone, as deployment_index. */
static int page_index(lua_State *L) {
  const page_box *box = lua_touserdata(L, 1);
  const c66_page *page;
  if (box == NULL || box->mark != &mark)
    return luaL_argerror(L, 1, "a page expected");
  page = &box->page;
  if (lua_type(L, 2) == LUA_TNUMBER) {
    lua_Number i = lua_tonumber(L, 2);
    if (i >= 1 && i <= (lua_Number)page->count && i == (lua_Number)(uint32_t)i)
      c66_pushdeployment(L, 1, page, (size_t)i - 1);
    else
      lua_pushnil(L);
    return 1;
  }
  if (lua_type(L, 2) != LUA_TSTRING)
    return unknown_page_name(L);
  if (push_page_field(L, page, lua_tostring(L, 2)))
    return 1;
  lua_pushvalue(L, 2);
  lua_rawget(L, C66_UP_PAGE_METHODS);
  return lua_isnil(L, -1) ? unknown_page_name(L) : 1;
}

static int page_len(lua_State *L) {
  c66_pushint(L, (int64_t)check_page(L, 1)->count);
  return 1;
}

static int page_tostring(lua_State *L) {
  const c66_page *page = check_page(L, 1);
  lua_pushfstring(L, "page of %d deployments", (int)page->count);
  return 1;
}

/* Upvalue C66_UP_OWN: how many were returned. */
static int each_next(lua_State *L) {
  const c66_page *page = check_page(L, 1);
  lua_Integer i = lua_tointeger(L, C66_UP_OWN);
  if (i >= (lua_Integer)page->count)
    return 0;
  lua_pushinteger(L, i + 1);
  lua_replace(L, C66_UP_OWN);
  c66_pushdeployment(L, 1, page, (size_t)i);
  return 1;
}

static int page_each(lua_State *L) {
  (void)check_page(L, 1);
  lua_pushinteger(L, 0);
  c66_pushclosure_own(L, each_next);
  lua_pushvalue(L, 1);
  return 2;
}

/* Upvalue C66_UP_OWN of rows_next. Its companion value keeps the page alive. */
typedef struct rows {
  const void *owner; /* the page userdata */
  const c66_page *page;
  int count;
  struct {
    const c66_attribute *attribute;
  } columns[];
} rows;

static int rows_next(lua_State *L) {
  const rows *r = lua_touserdata(L, C66_UP_OWN);
  const c66_page *page = r->page;
  lua_Number last = lua_tonumber(L, 2);
  const c66_record *record;
  int k;
  if (lua_touserdata(L, 1) != r->owner)
    return luaL_argerror(L, 1, "the page these rows belong to expected");
  if (!(last >= 0 && last < (lua_Number)page->count))
    return 0;
  record = &page->records[(size_t)last];
  luaL_checkstack(L, r->count + 4, "too many columns");
  lua_pushinteger(L, (lua_Integer)last + 1);
  for (k = 0; k < r->count; k++)
    c66_pushattribute(L, page, record, r->columns[k].attribute);
  return r->count + 1;
}

static int page_rows(lua_State *L) {
  enum { MOST = 64 };
  const c66_page *page = check_page(L, 1);
  int count = lua_gettop(L) - 1;
  rows *r;
  int k;
  luaL_argcheck(L, count >= 1, 2, "name at least one column");
  luaL_argcheck(L, count <= MOST, MOST + 2, "too many columns");
  luaL_checkstack(L, MOST + 8, "too many columns");
  r = c66_newud(L, sizeof *r + (size_t)count * sizeof r->columns[0]);
  r->owner = lua_touserdata(L, 1);
  r->page = page;
  r->count = count;
  for (k = 0; k < count; k++) {
    luaL_checktype(L, k + 2, LUA_TSTRING);
    r->columns[k].attribute = c66_toattribute(L, k + 2);
    if (r->columns[k].attribute == NULL)
      return c66_unknown_name(L, "deployment", k + 2, C66_UP_NAMES, C66_UP_NAMES);
  }
  c66_pushkeeper(L, 1);
  c66_setcompanion(L, -2);
  c66_pushclosure_own(L, rows_next);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

/* --- in which order --- */

/* A trend that begins after the value at `idx`, or with nothing where that is nil; 0 where it is another. */
static int begin_trend(lua_State *L, int idx, c66_trend *trend) {
  trend->rises = trend->falls = 0;
  trend->any = lua_type(L, idx) == LUA_TNUMBER;
#if C66_HAS_INTEGERS
  trend->last = (int64_t)lua_tointeger(L, idx);
#else
  trend->last = (int64_t)lua_tonumber(L, idx);
#endif
  return trend->any || lua_isnil(L, idx);
}

/* [-0, +3] */
static void push_trend(lua_State *L, const c66_trend *trend) {
  lua_pushboolean(L, trend->rises);
  lua_pushboolean(L, trend->falls);
  if (trend->any)
    c66_pushint(L, trend->last);
  else
    lua_pushnil(L);
}

/*
 * trend(page, last start, last id) -> rises, falls, last of the starts (Unix seconds), then of the ids, counted from what came
 * last before the page. Nothing where only rows() can tell.
 */
static int page_trend(lua_State *L) {
  const c66_page *page = check_page(L, 1);
  c66_trend starts, ids;
  lua_settop(L, 3);
  if (!begin_trend(L, 2, &starts) || !begin_trend(L, 3, &ids) ||
      !c66_page_trend(page, &starts, &ids))
    return 0;
  luaL_checkstack(L, 6, "too many values");
  push_trend(L, &starts);
  push_trend(L, &ids);
  return 6;
}

/* --- decoding --- */

static int shared_gc(lua_State *L) {
  c66_shared *shared = lua_touserdata(L, 1);
  shared->closed = 1;
  c66_decoder_free(&shared->decoder);
  return 0;
}

/* [-0, +1] Ties the page on top to what it needs: the text at stack index `text`, and before 5.3 a
 * table that holds both, which every deployment of the page is tied to. */
static void keep_text(lua_State *L, int text) {
#if C66_COMPANION_IS_TABLE
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, text);
  lua_rawseti(L, -2, 2);
#else
  lua_pushvalue(L, text);
#endif
  c66_setcompanion(L, -2);
}

/*
 * [-0, +1] Making the userdata may run the collector, which may run a finalizer, which may decode
 * another text into the same scratch memory. Then this one is decoded again.
 */
static page_box *push_box(lua_State *L, c66_decoder *d) {
  uint32_t page = d->page;
  page_box *box = c66_newud(L, offsetof(page_box, page) + c66_page_size(d));
  if (d->page != page) {
    lua_pop(L, 1);
    return NULL;
  }
  box->mark = &mark;
  (void)c66_page_build(d, &box->page);
  return box;
}

/* decode(text) -> page, or nil, kind, message, offset */
static int decode(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  c66_shared *shared = lua_touserdata(L, C66_UP_SHARED);
  c66_decoder *d = &shared->decoder;
  c66_error error;
  if (shared->closed) /* in a finalizer, while the Lua state ends: nothing would free what is taken
                         now */
    return luaL_error(L, "the Lua state is closing");
  do {
    if (c66_decode(d, text, length, &error) != C66_OK) {
      c66_decoder_trim(d);
      if (strcmp(error.kind, "memory") == 0)
        return luaL_error(L, "%s", error.message);
      return c66_pushfail(L, &error);
    }
  } while (push_box(L, d) == NULL);
  c66_decoder_trim(d);
  keep_text(L, 1);
  lua_pushvalue(L, C66_UP_PAGE_META);
  lua_setmetatable(L, -2);
  return 1;
}

/* --- registration --- */

static const luaL_Reg functions[] = {{"decode", decode},
                                     {"is_deployment", c66_lua_is_deployment},
                                     {"drifted", c66_lua_drifted},
                                     {"trend", page_trend},
                                     {NULL, NULL}};

static const luaL_Reg page_methods[] = {{"each", page_each}, {"rows", page_rows}, {NULL, NULL}};

static const luaL_Reg page_metamethods[] = {{"__index", page_index},
                                            {"__newindex", c66_lua_read_only},
                                            {"__len", page_len},
                                            {"__tostring", page_tostring},
                                            {NULL, NULL}};

/* [-0, +1] */
static c66_shared *push_shared(lua_State *L) {
  c66_shared *shared = lua_newuserdata(L, sizeof *shared);
  memset(shared, 0, sizeof *shared);
  c66_decoder_init(&shared->decoder);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, shared_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return shared;
}

/* Registers into the table at `idx`, every function over the shared upvalues that stand from
 * `first` on. */
static void register_all(lua_State *L, int idx, const luaL_Reg *list, int first) {
  int i;
  luaL_checkstack(L, C66_UPVALUES + 4, "too many upvalues");
  lua_pushvalue(L, idx);
  for (i = 0; i < C66_UPVALUES; i++)
    lua_pushvalue(L, first + i);
  c66_setfuncs(L, list, C66_UPVALUES);
  lua_pop(L, 1);
}

/* The metatable at `idx` gets a name, and is hidden: no other object can reach its functions. */
static void close_metatable(lua_State *L, int idx, const char *name) {
  lua_pushstring(L, name);
  lua_setfield(L, idx, "__name");
  lua_pushstring(L, name);
  lua_setfield(L, idx, "__metatable");
}

void c66_open_page(lua_State *L) {
  int module = lua_gettop(L);
  int first = module + 1;
  c66_pushnames(L, push_shared(L));
  c66_pushwords(L, module);
  lua_newtable(L); /* deployment metatable */
  lua_newtable(L); /* deployment methods */
  lua_newtable(L); /* page methods */
  lua_newtable(L); /* page metatable */
  register_all(L, first + 3, c66_deployment_metamethods, first);
  register_all(L, first + 4, c66_deployment_methods, first);
  register_all(L, first + 5, page_methods, first);
  register_all(L, first + 6, page_metamethods, first);
  register_all(L, module, functions, first);
  close_metatable(L, first + 3, "cloud66.deployment");
  close_metatable(L, first + 6, "cloud66.page");
  lua_pushvalue(L, first + 4);
  lua_setfield(L, module, "deployment_methods");
  lua_pushvalue(L, first + 5);
  lua_setfield(L, module, "page_methods");
  c66_add_model(L, module);
  push_page_names(L);
  lua_setfield(L, module, "page_names");
  lua_settop(L, module);
}
