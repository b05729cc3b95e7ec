/* lua_value.h - what pages and deployments share: their upvalues, names and values.
 *
 * Every function is a closure over the same upvalues, so nothing is looked up by a global name, and
 * two copies of this module in one process never take each other's objects for their own. */
#ifndef C66_LUA_VALUE_H
#define C66_LUA_VALUE_H

#include "deployment/decoder.h"
#include "deployment/record.h"
#include "lua/compat.h"

C66_BEGIN_DECLS

enum {
  C66_UP_SHARED = lua_upvalueindex(1), /* c66_shared */
  C66_UP_NAMES = lua_upvalueindex(2),  /* readable name -> index into c66_attributes, from 1 */
  C66_UP_WORDS = lua_upvalueindex(3),  /* c66_value.integer -> documented word */
  C66_UP_DEPLOYMENT_META = lua_upvalueindex(4),
  C66_UP_DEPLOYMENT_METHODS = lua_upvalueindex(5),
  C66_UP_PAGE_METHODS = lua_upvalueindex(6),
  C66_UP_PAGE_META = lua_upvalueindex(7),
  C66_UPVALUES = 7,
  C66_UP_OWN = lua_upvalueindex(8) /* what a single closure has besides */
};

/*
 * Where Lua keeps each readable name. Lua has one copy of every short string, and UP_NAMES holds on
 * to these, so the address alone tells which name a key is.
 */
enum { C66_NAME_BITS = 8 };
typedef struct c66_name {
  const char *address; /* NULL: free */
  const c66_attribute *attribute;
} c66_name;

/* What the functions of one Lua state share in C. */
typedef struct c66_shared {
  c66_decoder decoder;
  int closed;                         /* the decoder was freed */
  c66_name names[1 << C66_NAME_BITS]; /* by a hash of the address; on a collision in the
                                         next free one */
} c66_shared;

/* Enters the string at `idx`, which must be a key of UP_NAMES's table. */
void c66_add_name(lua_State *L, int idx, c66_shared *shared, const c66_attribute *a);

/* [-0, +1] A closure of `f` over the upvalues of the running function. */
void c66_pushclosure(lua_State *L, lua_CFunction f);

/* [-1, +1] The same, and the value on top as C66_UP_OWN. */
void c66_pushclosure_own(lua_State *L, lua_CFunction f);

/* [-0, +1] The value of a readable name. */
void c66_pushattribute(lua_State *L, const c66_page *page, const c66_record *record,
                       const c66_attribute *a);

/* [-0, +1] Decodes the value at `p` of a page's body; `null` as for c66_pushjson. */
void c66_pushchecked(lua_State *L, const c66_page *page, const char *p, int null);

/* The attribute named by the string at `idx`, or NULL. */
const c66_attribute *c66_toattribute(lua_State *L, int idx);

/* [-0, +1] What keeps the page userdata at stack index `idx` alive as a companion value: itself, or
 * its table. */
static inline void c66_pushkeeper(lua_State *L, int idx) {
#if C66_COMPANION_IS_TABLE
  c66_getcompanion(L, idx);
#else
  lua_pushvalue(L, idx);
#endif
}

/* __newindex of both: raises. */
int c66_lua_read_only(lua_State *L);

C66_END_DECLS

#endif
