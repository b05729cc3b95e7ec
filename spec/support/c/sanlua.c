/* sanlua.c - a Lua built with the sanitizers.
 * sanlua [-e text | -l module]... [script [arguments]] */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

/* Modules stay mapped, so that a report at the end can still name their functions. */
int dlclose(void *handle);
int dlclose(void *handle) {
  (void)handle;
  return 0;
}

/* [-1, +1] Replaces an error by its text and a traceback. */
static int on_error(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (text == NULL) {
    if (!luaL_callmeta(L, 1, "__tostring"))
      lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    text = lua_tostring(L, -1);
  }
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "traceback");
  lua_pushstring(L, text);
  lua_pushinteger(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* [-(count + 1), +0] Calls a function below its arguments; prints what it raises. */
static int call(lua_State *L, int count) {
  int base = lua_gettop(L) - count;
  int status;
  lua_pushcfunction(L, on_error);
  lua_insert(L, base);
  status = lua_pcall(L, count, 0, base);
  if (status != 0) {
    fprintf(stderr, "sanlua: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_remove(L, base);
  return status;
}

/* [-1, +0] Calls what was loaded, or prints why it was not. */
static int run(lua_State *L, int status) {
  if (status == 0)
    return call(L, 0);
  fprintf(stderr, "sanlua: %s\n", lua_tostring(L, -1));
  lua_pop(L, 1);
  return status;
}

static int require(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  return call(L, 1);
}

/* Global `arg`: the script at 0, its arguments after it, the rest before. */
static void set_arg(lua_State *L, char **argv, int argc, int script) {
  int i;
  lua_newtable(L);
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

static int run_script(lua_State *L, char **argv, int argc, int script) {
  const char *name = strcmp(argv[script], "-") == 0 ? NULL : argv[script];
  int i;
  int status = luaL_loadfile(L, name);
  if (status != 0)
    return run(L, status);
  luaL_checkstack(L, argc + 2, "too many arguments");
  for (i = script + 1; i < argc; i++)
    lua_pushstring(L, argv[i]);
  return call(L, argc - script - 1);
}

int main(int argc, char **argv) {
  int i = 1;
  int script;
  int status = 0;
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return 1;
  luaL_openlibs(L);
  while (i + 1 < argc && (strcmp(argv[i], "-e") == 0 || strcmp(argv[i], "-l") == 0))
    i += 2;
  script = i;
  set_arg(L, argv, argc, script < argc ? script : 0);
  for (i = 1; i < script && status == 0; i += 2) {
    if (argv[i][1] == 'l')
      status = require(L, argv[i + 1]);
    else
      status = run(L, luaL_loadstring(L, argv[i + 1]));
  }
  if (status == 0 && script < argc)
    status = run_script(L, argv, argc, script);
  lua_close(L);
  return status != 0;
}
