# shellcheck shell=sh
# Read by the other scripts: goes to the top of the tree and gives them what they share.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit
# Read by the scripts, not here.
# shellcheck disable=SC2034
all_luas='lua5.1 lua5.2 lua5.3 lua5.4 luajit'

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Installs what a group of script/bootstrap needs, and builds. C66_BUILT=1: both has just been done, as in specs.
prepare() {
  if [ "${C66_BUILT:-}" != 1 ]; then
    script/bootstrap "$1"
    script/build
  fi
}

# The command that runs this Lua: its own name, or a plain `lua` of that version.
lua_command() {
  if command -v "$1" >/dev/null 2>&1; then
    printf '%s\n' "$1"
  elif command -v lua >/dev/null 2>&1 && lua -v 2>&1 | grep -q "^Lua ${1#lua}\\."; then
    printf 'lua\n'
  else
    return 1
  fi
}

cpus() { getconf _NPROCESSORS_ONLN 2>/dev/null || printf '2\n'; }

# What a user may have exported and a program run from the tree must not see:
# accounts, other modules, proxies between it and the fake API.
clean_environment() {
  for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $name in
      CLOUD66_* | LUA_PATH* | LUA_CPATH* | LUA_INIT* | CI | *_proxy | *_PROXY) unset "$name" ;;
    esac
  done
}

# Sends the output of a command to a log that is shown only if the command fails or warns.
quietly() {
  log=$1
  shift
  if "$@" >"$log" 2>&1; then
    if grep -q 'warning:' "$log"; then cat "$log" >&2; fi
  else
    status=$?
    cat "$log" >&2
    return "$status"
  fi
}

# cmake_build FOLDER SETTING...: configures once per place and settings (after that make knows when
# to do it again) and builds. Silent if all is well; two at a time take turns.
cmake_build() {
  dir=$1
  shift
  mkdir -p "$dir"
  (
    if command -v flock >/dev/null 2>&1; then flock 9; fi
    stamp="$root $*"
    if [ "$(cat "$dir/stamp" 2>/dev/null)" != "$stamp" ]; then
      rm -rf "$dir/CMakeCache.txt" "$dir/CMakeFiles"
      quietly "$dir/configure.log" cmake -S . -B "$dir" "$@" || exit
      printf '%s\n' "$stamp" >"$dir/stamp"
    fi
    quietly "$dir/build.log" cmake --build "$dir" --parallel "$(cpus)"
  ) 9>"$dir/lock"
}
