-- Whether these specs run in the one lane that goes through all of the many worlds; the others go through some.
return _VERSION == "Lua 5.4" and not os.getenv "C66_SLOW" and not os.getenv "ASAN_OPTIONS" and not package.loaded.ngx
