-- "min": what Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT have in common.
std = "min"
codes = true
max_line_length = 140
cache = false
ignore = { "581" } -- `not (x > y)` is no `x <= y` where x may be NaN
include_files = { "lua/**/*.lua", "spec/**/*.lua", "examples/**/*.lua", "bench/**/*.lua", "docs/**/*.lua", "*.rockspec" }
files["lua"] = { read_globals = { "ngx" } }
files["examples/nginx"] = { std = "luajit", globals = { "ngx" } }
files["bench"] = { std = "max" }
files["spec"] = { std = "+busted", max_line_length = 170 }
files["spec/support"] = { read_globals = { "ngx" } }
files["*.rockspec"] = { std = "rockspec" }
