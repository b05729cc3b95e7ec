/* lua_model.c - the tables of the Deployment model, for Lua. */
#include "lua/lua_model.h"

void c66_pushnames(lua_State *L, c66_shared *shared) {
  size_t i;
  lua_createtable(L, 0, (int)c66_attribute_count);
  for (i = 0; i < c66_attribute_count; i++) {
    lua_pushstring(L, c66_attributes[i].name);
    c66_add_name(L, -1, shared, &c66_attributes[i]);
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_rawset(L, -3);
  }
}

void c66_pushwords(lua_State *L, int module) {
  unsigned f;
  int k;
  lua_newtable(L); /* by c66_word_index */
  lua_newtable(L); /* by field */
  for (f = 0; f < C66_FIELD_COUNT; f++) {
    const char *const *words = c66_fields[f].words;
    if (words == NULL)
      continue;
    lua_newtable(L);
    for (k = 0; words[k] != NULL; k++) {
      lua_pushstring(L, words[k]);
      lua_pushvalue(L, -1);
      lua_rawseti(L, -3, k + 1);
      lua_rawseti(L, -4, c66_word_index(f, k));
    }
    lua_setfield(L, -2, c66_fields[f].name);
  }
  lua_setfield(L, module, "words");
}

/* [-0, +1] The keys of a deployment, in the order the API documents them. */
static void push_fields(lua_State *L) {
  int f;
  lua_createtable(L, C66_FIELD_COUNT, 0);
  for (f = 0; f < C66_FIELD_COUNT; f++) {
    lua_pushstring(L, c66_fields[f].name);
    lua_rawseti(L, -2, f + 1);
  }
}

/* What a readable name is, for those who check or document names. */
static const char *attribute_type(const c66_attribute *a) {
  static const char *const types[] = {"text", "date", "boolean", "word", "integer"};
  if (c66_is_predicate(a))
    return "predicate";
  switch ((c66_view)a->view) {
  case C66_VIEW_FIELD:
    return types[c66_fields[a->field].type];
  case C66_VIEW_CODE:
    return "code";
  case C66_VIEW_MEANING:
    return "text";
  default:
    return "seconds";
  }
}

/* [-0, +1] */
static void push_types(lua_State *L) {
  size_t i;
  lua_createtable(L, 0, (int)c66_attribute_count);
  for (i = 0; i < c66_attribute_count; i++) {
    lua_pushstring(L, attribute_type(&c66_attributes[i]));
    lua_setfield(L, -2, c66_attributes[i].name);
  }
}

void c66_add_model(lua_State *L, int module) {
  push_fields(L);
  lua_setfield(L, module, "fields");
  push_types(L);
  lua_setfield(L, module, "names");
}
