-- The stack bodies, keys in the documented order: one as the docs have shown since 2014, one as newer objects look.
local json = require "spec.support.fake.json"

local stacks = {}

-- The old body; dates differ in style from key to key, as documented.
local function classic(fields)
  local created, updated = fields.created_at, fields.updated_at
  local function utc_style(text)
    return (text:gsub("T", " "):gsub("Z", " UTC"))
  end
  return json.object {
    { "uid", fields.uid },
    { "name", fields.name },
    { "git", fields.git },
    { "git_branch", fields.git_branch },
    { "environment", fields.environment },
    { "cloud", "DigitalOcean" },
    { "fqdn", fields.fqdn },
    { "language", "ruby" },
    { "framework", "rails" },
    { "status", fields.status },
    { "health", fields.health },
    { "last_activity", (updated:gsub("Z", "+00:00")) },
    { "last_activity_iso", (updated:gsub("Z", "+00:00")) },
    { "maintenance_mode", false },
    { "has_loadbalancer", false },
    { "created_at", utc_style(created) },
    { "updated_at", utc_style(updated) },
    { "deploy_directory", "/var/deploy/" .. fields.directory },
    { "cloud_status", "partial" },
    { "created_at_iso", created },
    { "updated_at_iso", updated },
    { "redeploy_hook", "http://hooks.cloud66.com/stacks/redeploy/" .. fields.hook },
  }
end

local function modern(fields)
  return json.object {
    { "uid", fields.uid },
    { "name", fields.name },
    { "account_id", 12345 },
    { "git", fields.git },
    { "git_branch", fields.git_branch },
    { "environment", fields.environment },
    { "cloud", "aws" },
    { "fqdn", fields.fqdn },
    { "language", "ruby" },
    { "framework", "rails" },
    { "status", fields.status },
    { "health", fields.health },
    { "last_activity", fields.updated_at },
    { "last_activity_iso", fields.updated_at },
    { "maintenance_mode", false },
    { "has_loadbalancer", true },
    { "created_at", fields.created_at },
    { "updated_at", fields.updated_at },
    { "deploy_directory", "/var/deploy/" .. fields.directory },
    { "cloud_status", "deployed" },
    { "backend", "kubernetes" },
    { "version", "4" },
    { "revision", "42" },
    { "is_busy", false },
    { "account_name", "Production Team (team@awesome.example)" },
    { "is_cluster", false },
    { "is_inside_cluster", true },
    { "cluster_name", "production-cluster" },
    { "application_address", "https://" .. fields.fqdn },
    { "configstore_namespace", "550e8400-e29b-41d4-a716-446655440000" },
    { "namespaces", { "api-production", "api-jobs" } },
    { "considerations", json.object { { "warnings", {} }, { "notices", { "Stack is healthy" } } } },
    { "redeploy_hook", "https://hooks.cloud66.com/stacks/redeploy/" .. fields.hook },
  }
end

local builders = {
  awesome_app = function()
    return classic {
      uid = "5999b763474b0eafa5fafb64bff0ba80",
      name = "Awesome App",
      environment = "production",
      git = "http://github.com/cloud66-samples/awesome-app.git",
      git_branch = "main",
      fqdn = "awesome-app.dev.c66.me",
      status = 6, -- deploying: its newest deployment is in progress
      health = 3,
      created_at = "2024-11-20T09:38:14Z",
      updated_at = "2026-11-20T10:14:37Z",
      directory = "awesome_app",
      hook = "b806f1c3344eb3aa2a024b23254b75b3/6d677352a6b2eefec6e345ee2b491521",
    }
  end,
  staging = function()
    return classic {
      uid = "0c2f4e6a81b3d5f7092b4d6f8a1c3e57",
      name = "awesome-app-staging",
      environment = "staging",
      git = "http://github.com/cloud66-samples/awesome-app.git",
      git_branch = "develop",
      fqdn = "awesome-app-staging.dev.c66.me",
      status = 1,
      health = 3,
      created_at = "2025-10-01T08:12:09Z",
      updated_at = "2026-11-19T15:20:33Z",
      directory = "awesome_app",
      hook = "1f0a6c77d2e94b5aa7c3d1e8b6f29450/9b1d37ac52e84f60b7c2a8d4e6f01935",
    }
  end,
  api = function()
    return modern {
      uid = "stack-550e8400-e29b-41d4-a716",
      name = "api",
      environment = "production",
      git = "git@github.com:cloud66-samples/api.git",
      git_branch = "main",
      fqdn = "api.awesome.example",
      status = 1,
      health = 3,
      created_at = "2026-01-15T10:30:00Z",
      updated_at = "2026-11-18T14:45:30Z",
      directory = "api",
      hook = "4d1f8a02c7b64e93",
    }
  end,
  brand_new = function()
    return classic {
      uid = "f3b1a9d27c5e40869a1d2c3b4e5f6071",
      name = "brand new",
      environment = "development",
      git = "http://github.com/cloud66-samples/brand-new.git",
      git_branch = "main",
      fqdn = "brand-new.dev.c66.me",
      status = 0,
      health = 0,
      created_at = "2026-11-20T08:01:02Z",
      updated_at = "2026-11-20T08:01:02Z",
      directory = "brand_new",
      hook = "77aa0b3c9d5e4f218c6b1a2d3e4f5061/0a9b8c7d6e5f41239384756ab1c2d3e4",
    }
  end,
}

---The order of the stacks list.
stacks.names = { "awesome_app", "staging", "api", "brand_new" }

---A fresh JSON object each time: a scenario may reshape it.
function stacks.body(name)
  return builders[name]()
end

return stacks
