/* lua_terminate.c - SIGTERM as an error in Lua.
 *
 * A handler may do next to nothing. It sets a hook, which Lua allows in a handler: the hook raises the error at the
 * next instruction, in code that may raise. */
#include "lua/lua_terminate.h"

#include <signal.h>
#include <string.h>

/* The state that is to hear of it; NULL for none. There is one, since a process has one SIGTERM. */
static lua_State *volatile listener;

static void raise_terminated(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "terminated!");
}

static void set_handler(void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  (void)sigemptyset(&action.sa_mask);
  action.sa_handler = handler; /* without SA_RESTART: it ends a sleep */
  (void)sigaction(SIGTERM, &action, NULL);
}

static void on_sigterm(int number) {
  lua_State *L = listener;
  (void)number;
  set_handler(SIG_DFL);
  if (L != NULL)
    lua_sethook(L, raise_terminated, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* What the registry of a state holds that listens. */
typedef struct {
  lua_State *thread; /* its main thread; NULL: not yet */
} c66_terminate_guard;

/* __gc of the guard: the state ends, and hears of nothing any more. */
static int stop_listening(lua_State *L) {
  const c66_terminate_guard *guard = (const c66_terminate_guard *)lua_touserdata(L, 1);
  if (guard != NULL && guard->thread != NULL && listener == guard->thread) {
    set_handler(SIG_DFL);
    listener = NULL;
  }
  return 0;
}

/* Raises where it cannot be told: another thread may be gone before the signal comes. */
static lua_State *main_thread(lua_State *L) {
#ifdef LUA_RIDX_MAINTHREAD
  lua_State *thread;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  thread = lua_tothread(L, -1);
  lua_pop(L, 1);
  return thread;
#else
  if (!lua_pushthread(L))
    luaL_error(L, "under this Lua raise_on_sigterm() is for the main thread alone");
  lua_pop(L, 1);
  return L;
#endif
}

/* [-0, +1] The guard that the registry holds: made on first use. */
static c66_terminate_guard *push_guard(lua_State *L) {
  static char key;
  c66_terminate_guard *guard;
  lua_pushlightuserdata(L, &key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (!lua_isnil(L, -1))
    return (c66_terminate_guard *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  guard = (c66_terminate_guard *)c66_newud(L, sizeof *guard);
  guard->thread = NULL;
  lua_newtable(L);
  lua_pushcfunction(L, stop_listening);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushlightuserdata(L, &key);
  lua_pushvalue(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  return guard;
}

int c66_lua_raise_on_sigterm(lua_State *L) {
  c66_terminate_guard *guard = push_guard(L);
  guard->thread = listener = main_thread(L);
  set_handler(on_sigterm);
  return 0;
}
