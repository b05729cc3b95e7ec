/*
 * linehook.c - counts which lines of lua/ are run. Loaded by LUA_INIT in each interpreter of a
 * coverage run (script/coverage); a hook in C is quick, and coroutines inherit it. When the process
 * ends in order, "FILE LINE" of each line that ran goes to a file of its own in C66_LINES.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

enum { FILES = 200, LINES = 4000, NAME = 100 };

static struct {
  char name[NAME]; /* cloud66/url.lua */
  unsigned char ran[LINES];
} files[FILES];
static int count, last;

static void write_down(void) {
  const char *folder = getenv("C66_LINES");
  char path[4096];
  FILE *out;
  int f, l;
  if (folder == NULL || count == 0)
    return;
  (void)snprintf(path, sizeof path, "%s/%ld.lines", folder, (long)getpid());
  out = fopen(path, "a");
  if (out == NULL) {
    perror(path);
    return;
  }
  for (f = 0; f < count; f++)
    for (l = 1; l < LINES; l++)
      if (files[f].ran[l])
        (void)fprintf(out, "%s %d\n", files[f].name, l);
  (void)fclose(out);
  count = 0;
}

/* Whether the process exits or the state is closed. */
static void __attribute__((destructor)) at_end(void) { write_down(); }

static void hook(lua_State *L, lua_Debug *ar) {
  const char *name;
  int f;
  if (ar->currentline <= 0 || ar->currentline >= LINES || !lua_getinfo(L, "S", ar) ||
      ar->source[0] != '@')
    return;
  name = strstr(ar->source, "lua/cloud66");
  if (name == NULL || strlen(name) >= NAME)
    return;
  name += sizeof "lua/" - 1;
  f = last;
  if (f >= count || strcmp(files[f].name, name) != 0) {
    for (f = 0; f < count && strcmp(files[f].name, name) != 0; f++) {
    }
    if (f == FILES)
      return;
    if (f == count) {
      memset(&files[f], 0, sizeof files[f]);
      memcpy(files[f].name, name, strlen(name) + 1);
      count++;
    }
    last = f;
  }
  files[f].ran[ar->currentline] = 1;
}

int luaopen_linehook(lua_State *L);

int luaopen_linehook(lua_State *L) {
  lua_sethook(L, hook, LUA_MASKLINE, 0);
  lua_pushboolean(L, 1);
  return 1;
}
