/*
 * allocfail.c - runs a Lua scenario again and again, and each time another allocation fails.
 * allocfail SCENARIO
 *
 * The scenario is a Lua file that returns a function, which returns a text. Every allocation while
 * it runs is counted, Lua's and those of the core's C code, which is linked into this program with
 * malloc wrapped. Of each allocation it is tried what happens if it alone fails, and if it and all
 * after it fail. Then the function must raise that there is not enough memory, or return the same
 * text as ever; it must return that text when memory is back; and when the state is closed nothing
 * may be left.
 */
#include "base/base.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_cloud66_core(lua_State *L);

/* --- memory --- */

static struct {
  int armed;
  int all;    /* the ones after fail_at fail too */
  long calls; /* counted while armed */
  long fail_at;
  long lua_blocks; /* not yet freed */
  long c_blocks;
} memory;

static int refuse(void) {
  if (!memory.armed)
    return 0;
  memory.calls++;
  return memory.calls == memory.fail_at || (memory.all && memory.calls > memory.fail_at);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  void *block = refuse() ? NULL : __real_malloc(size);
  memory.c_blocks += block != NULL;
  return block;
}

void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
  void *block = refuse() ? NULL : __real_calloc(count, size);
  memory.c_blocks += block != NULL;
  return block;
}

void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size) {
  void *moved = refuse() ? NULL : __real_realloc(block, size);
  memory.c_blocks += block == NULL && moved != NULL;
  return moved;
}

void __wrap_free(void *block);
void __wrap_free(void *block) {
  memory.c_blocks -= block != NULL;
  __real_free(block);
}

/* Lua relies on it that a block can always be made smaller. */
static void *lua_memory(void *unused, void *block, size_t old_size, size_t size) {
  void *moved;
  (void)unused;
  if (size == 0) {
    memory.lua_blocks -= block != NULL;
    __real_free(block);
    return NULL;
  }
  if ((block == NULL || size > old_size) && refuse())
    return NULL;
  moved = __real_realloc(block, size);
  memory.lua_blocks += block == NULL && moved != NULL;
  return moved;
}

/* --- one run --- */

enum { SCENARIO = 1 }; /* stack index of the function */

static int start(lua_State *L) {
  const char *path = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_cloud66_core);
  lua_setfield(L, -2, "cloud66.core");
  if (luaL_loadfile(L, path) != 0)
    return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

/* A state with the scenario at its place. Nothing fails yet. */
static lua_State *open_state(const char *path) {
  lua_State *L = lua_newstate(lua_memory, NULL);
  if (L == NULL)
    return NULL;
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, (void *)(uintptr_t)path);
  if (lua_pcall(L, 1, 1, 0) == 0)
    return L;
  (void)fprintf(stderr, "allocfail: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

/* [-0, +1] Calls the scenario and leaves its text or its error; returns Lua's status. */
static int call(lua_State *L, int armed) {
  int status;
  lua_pushvalue(L, SCENARIO);
  memory.calls = 0;
  memory.armed = armed;
  status = lua_pcall(L, 0, 1, 0);
  memory.armed = 0;
  return status;
}

/* A stack that cannot grow for lack of memory is called an overflow by luaL_checkstack: from Lua 5.2
 * on, and by LuaJIT since September 2023. */
static int is_out_of_memory(const char *message) {
  static const char want[] = "not enough memory";
  size_t length = message != NULL ? strlen(message) : 0;
  return length >= sizeof want - 1 && (strcmp(message + length - (sizeof want - 1), want) == 0 ||
                                       strstr(message, "stack overflow (") != NULL);
}

static int complain(const char *what, const char *detail) {
  (void)fprintf(stderr, "allocfail: allocation %ld%s failed: %s%s\n", memory.fail_at,
                memory.all ? " and all after it" : "", what, detail != NULL ? detail : "(no text)");
  return 0;
}

/* Whether the text on top is the one the scenario always returns. */
static int check_text(lua_State *L, const char *text) {
  const char *got = lua_tostring(L, -1);
  return (got != NULL && strcmp(got, text) == 0) || complain("got another text: ", got);
}

/* *raised counts the runs that ended in an error. */
static int check_state(lua_State *L, const char *text, long *raised) {
  int status = call(L, 1);
  if (status != 0) {
    ++*raised;
    if (!is_out_of_memory(lua_tostring(L, -1)))
      return complain("raised: ", lua_tostring(L, -1));
  } else if (!check_text(L, text)) {
    return 0;
  }
  lua_settop(L, SCENARIO);
  if (call(L, 0) != 0)
    return complain("raised when memory was back: ", lua_tostring(L, -1));
  return check_text(L, text);
}

static int check_failure(const char *path, const char *text, long *raised) {
  lua_State *L = open_state(path);
  int good;
  if (L == NULL)
    return 0;
  good = check_state(L, text, raised);
  lua_close(L);
  if (memory.lua_blocks != 0 || memory.c_blocks != 0)
    good = complain("left memory behind", "");
  return good;
}

/* --- all of them --- */

/* The text the scenario returns while all is well, and how many allocations that takes. */
static char *reference(const char *path, long *count) {
  lua_State *L = open_state(path);
  char *text = NULL;
  if (L == NULL)
    return NULL;
  memory.fail_at = 0;
  memory.all = 0;
  if (call(L, 1) != 0 || lua_tostring(L, -1) == NULL) {
    (void)fprintf(stderr, "allocfail: the scenario failed: %s\n", lua_tostring(L, -1));
  } else {
    size_t size = strlen(lua_tostring(L, -1)) + 1;
    text = __real_malloc(size);
    if (text != NULL)
      memcpy(text, lua_tostring(L, -1), size);
  }
  *count = memory.calls;
  lua_close(L);
  return text;
}

int main(int argc, char **argv) {
  long count = 0;
  long raised = 0;
  int good = 1;
  char *text = argc == 2 ? reference(argv[1], &count) : NULL;
  if (text == NULL)
    return 2;
  for (memory.all = 0; memory.all <= 1; memory.all++)
    for (memory.fail_at = 1; memory.fail_at <= count && good; memory.fail_at++)
      good = check_failure(argv[1], text, &raised);
  __real_free(text);
  if (good)
    (void)printf("%ld allocations, each failed twice; %ld raised\n", count, raised);
  return !good;
}
