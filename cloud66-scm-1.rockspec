rockspec_format = "3.0"
package = "cloud66"
version = "scm-1"
source = {
  url = "git+https://example.org/cloud66-lua.git",
}
description = {
  summary = "Deployments of Cloud 66 stacks: history, redeploy, wait",
  detailed = [[
    Lists and filters the deployments of Cloud 66 stacks: what is live, what failed, who or what did it. Starts one
    exactly once, and waits for its end. Installs the command cloud66-deploy.
    A C core does HTTP with libcurl and decodes deployments; a thin Lua layer adds the client,
    lazy sequences and filters. For Lua 5.1 to 5.4 and LuaJIT.
  ]],
  license = "MIT",
  labels = { "deployment", "api", "devops" },
}
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1.0",
}
external_dependencies = {
  -- The library alone: luarocks looks for headers only where Debian does not keep them.
  CURL = { library = "curl" },
}
build = {
  type = "builtin",
  install = { bin = { ["cloud66-deploy"] = "examples/deploy.lua" } },
  modules = {
    ["cloud66.core"] = {
      sources = {
        "src/base/buffer.c",
        "src/base/hmac.c",
        "src/base/nearest.c",
        "src/base/system.c",
        "src/json/json.c",
        "src/json/timestamp.c",
        "src/deployment/word.c",
        "src/deployment/record.c",
        "src/deployment/deployment.c",
        "src/deployment/envelope.c",
        "src/lua/lua_json.c",
        "src/lua/lua_value.c",
        "src/lua/lua_deployment.c",
        "src/lua/lua_page.c",
        "src/lua/lua_system.c",
        "src/lua/core.c",
      },
      incdirs = { "src" },
    },
    ["cloud66.curl"] = {
      sources = {
        "src/base/buffer.c",
        "src/base/system.c",
        "src/http/transfer.c",
        "src/http/failure.c",
        "src/http/queue.c",
        "src/http/engine.c",
        "src/lua/curl.c",
      },
      libraries = { "curl" },
      incdirs = { "src", "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
    ["cloud66"] = "lua/cloud66.lua",
    ["cloud66.action"] = "lua/cloud66/action.lua",
    ["cloud66.budget"] = "lua/cloud66/budget.lua",
    ["cloud66.cache"] = "lua/cloud66/cache.lua",
    ["cloud66.calendar"] = "lua/cloud66/calendar.lua",
    ["cloud66.cancel"] = "lua/cloud66/cancel.lua",
    ["cloud66.check"] = "lua/cloud66/check.lua",
    ["cloud66.client"] = "lua/cloud66/client.lua",
    ["cloud66.commit"] = "lua/cloud66/commit.lua",
    ["cloud66.config"] = "lua/cloud66/config.lua",
    ["cloud66.criteria"] = "lua/cloud66/criteria.lua",
    ["cloud66.encode"] = "lua/cloud66/encode.lua",
    ["cloud66.endpoint"] = "lua/cloud66/endpoint.lua",
    ["cloud66.ensure"] = "lua/cloud66/ensure.lua",
    ["cloud66.error"] = "lua/cloud66/error.lua",
    ["cloud66.hooks"] = "lua/cloud66/hooks.lua",
    ["cloud66.kept"] = "lua/cloud66/kept.lua",
    ["cloud66.limits"] = "lua/cloud66/limits.lua",
    ["cloud66.live"] = "lua/cloud66/live.lua",
    ["cloud66.map"] = "lua/cloud66/map.lua",
    ["cloud66.match"] = "lua/cloud66/match.lua",
    ["cloud66.merge"] = "lua/cloud66/merge.lua",
    ["cloud66.names"] = "lua/cloud66/names.lua",
    ["cloud66.nginx"] = "lua/cloud66/nginx.lua",
    ["cloud66.patience"] = "lua/cloud66/patience.lua",
    ["cloud66.poll"] = "lua/cloud66/poll.lua",
    ["cloud66.recovery"] = "lua/cloud66/recovery.lua",
    ["cloud66.redeploy"] = "lua/cloud66/redeploy.lua",
    ["cloud66.reply"] = "lua/cloud66/reply.lua",
    ["cloud66.request"] = "lua/cloud66/request.lua",
    ["cloud66.retry"] = "lua/cloud66/retry.lua",
    ["cloud66.scheduler"] = "lua/cloud66/scheduler.lua",
    ["cloud66.sequence"] = "lua/cloud66/sequence.lua",
    ["cloud66.shared"] = "lua/cloud66/shared.lua",
    ["cloud66.stack"] = "lua/cloud66/stack.lua",
    ["cloud66.stats"] = "lua/cloud66/stats.lua",
    ["cloud66.store"] = "lua/cloud66/store.lua",
    ["cloud66.store.arguments"] = "lua/cloud66/store/arguments.lua",
    ["cloud66.store.expiry"] = "lua/cloud66/store/expiry.lua",
    ["cloud66.store.memory"] = "lua/cloud66/store/memory.lua",
    ["cloud66.store.redis"] = "lua/cloud66/store/redis.lua",
    ["cloud66.store.redis.blocking"] = "lua/cloud66/store/redis/blocking.lua",
    ["cloud66.store.redis.cosocket"] = "lua/cloud66/store/redis/cosocket.lua",
    ["cloud66.store.redis.guard"] = "lua/cloud66/store/redis/guard.lua",
    ["cloud66.store.shared_dict"] = "lua/cloud66/store/shared_dict.lua",
    ["cloud66.transport.curl"] = "lua/cloud66/transport/curl.lua",
    ["cloud66.transport.resty"] = "lua/cloud66/transport/resty.lua",
    ["cloud66.url"] = "lua/cloud66/url.lua",
    ["cloud66.usual"] = "lua/cloud66/usual.lua",
    ["cloud66.wait"] = "lua/cloud66/wait.lua",
    ["cloud66.watch"] = "lua/cloud66/watch.lua",
    ["cloud66.webhook"] = "lua/cloud66/webhook.lua",
  },
}
