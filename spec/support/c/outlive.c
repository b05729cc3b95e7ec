/*
 * outlive.c - runs a Lua program, closes its state, and goes on for some seconds: what the modules
 * leave running in the process then runs without them.
 *
 *   outlive SCRIPT SECONDS
 */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  struct timespec span = {0, 0};
  lua_State *L = luaL_newstate();
  int failed;
  if (argc != 3 || L == NULL)
    return 2;
  luaL_openlibs(L);
  failed = luaL_loadfile(L, argv[1]) != 0 || lua_pcall(L, 0, 0, 0) != 0;
  if (failed)
    (void)fprintf(stderr, "outlive: %s\n", lua_tostring(L, -1));
  lua_close(L);
  span.tv_sec = atoi(argv[2]);
  (void)nanosleep(&span, NULL);
  (void)puts("outlived");
  return failed;
}
