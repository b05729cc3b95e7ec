/* lua_model.h - the tables of the Deployment model, for Lua. */
#ifndef C66_LUA_MODEL_H
#define C66_LUA_MODEL_H

#include "lua/lua_value.h"

C66_BEGIN_DECLS

/* [-0, +1] What is at C66_UP_NAMES; enters each name into `shared`. */
void c66_pushnames(lua_State *L, c66_shared *shared);

/* [-0, +1] What is at C66_UP_WORDS. The table at stack index `module` gets `words`: each field that
 * holds a word -> the list of those the API documents for it. */
void c66_pushwords(lua_State *L, int module);

/*
 * [-0, +0] The table at stack index `module` gets `fields` (the keys of a deployment, in the order
 * the API documents them) and `names` (each readable name -> what it is: "integer", "text", "date",
 * "word", "boolean", "seconds", "code" or "predicate").
 */
void c66_add_model(lua_State *L, int module);

C66_END_DECLS

#endif
