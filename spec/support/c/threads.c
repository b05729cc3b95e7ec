/*
 * threads.c - two threads, each with a Lua state of its own, run the same scenario at the same
 * time.
 * threads SCENARIO SECONDS
 * For so long, and ten rounds at least: a round may take longer than that.
 *
 * The scenario is a Lua file that returns a function, which is called again and again with the
 * number of its thread. The core is linked into this program, so that a sanitizer sees all of it.
 */
#include "base/base.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int luaopen_cloud66_core(lua_State *L);

enum { THREADS = 2, LEAST_ROUNDS = 10 };

typedef struct worker {
  pthread_t thread;
  const char *path;
  int number; /* from 1 */
  double seconds;
  long rounds; /* done */
  int failed;
} worker;

static pthread_barrier_t begin;

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(lua_State *L) {
  worker *w = lua_touserdata(L, 1);
  double end = now() + w->seconds;
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_cloud66_core);
  lua_setfield(L, -2, "cloud66.core");
  if (luaL_loadfile(L, w->path) != 0)
    return lua_error(L);
  lua_call(L, 0, 1);
  do {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, w->number);
    lua_call(L, 1, 0);
    w->rounds++;
  } while (now() < end || w->rounds < LEAST_ROUNDS);
  return 0;
}

static void *work(void *data) {
  worker *w = data;
  lua_State *L = luaL_newstate();
  (void)pthread_barrier_wait(&begin);
  if (L == NULL) {
    w->failed = 1;
    return NULL;
  }
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, w);
  w->failed = lua_pcall(L, 1, 0, 0) != 0;
  if (w->failed)
    (void)fprintf(stderr, "threads: %d: %s\n", w->number, lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(int argc, char **argv) {
  static worker workers[THREADS];
  int failed = 0;
  int i;
  if (argc != 3 || pthread_barrier_init(&begin, NULL, THREADS) != 0)
    return 2;
  for (i = 0; i < THREADS; i++) {
    workers[i].path = argv[1];
    workers[i].number = i + 1;
    workers[i].seconds = strtod(argv[2], NULL);
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
      return 2;
  }
  for (i = 0; i < THREADS; i++) {
    (void)pthread_join(workers[i].thread, NULL);
    failed |= workers[i].failed || workers[i].rounds == 0;
  }
  if (!failed)
    (void)printf("%ld and %ld rounds\n", workers[0].rounds, workers[1].rounds);
  return failed;
}
