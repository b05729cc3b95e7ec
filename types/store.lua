---@meta _
-- What clients and processes share.

---Places for what clients and processes share: each module is loaded on first use.
---@class cloud66.StoreModule
local store = {}

---A store in this process's memory; inside nginx, this worker's. Where it is full, what has ended goes first, then what was
---not used for longest.
---@param options? cloud66.MemoryOptions
---@return cloud66.Store store
function store.memory(options) end

---A store in a shared dict of nginx, which all of its workers see. Raises outside of nginx, and where nginx.conf has no such
---lua_shared_dict.
---@param name string
---@return cloud66.Store store
function store.shared_dict(name) end

---A store in Redis 2.6 or later, which other machines see too. It connects when it is first asked for something. In scripts it
---needs redis-lua and LuaSocket, and blocks; inside nginx it needs lua-resty-redis, and does not. There is no TLS.
---@param options? cloud66.RedisOptions
---@return cloud66.Store store
function store.redis(options) end

---Raises unless a value is a store, and names what it lacks.
---@param value any
---@param name? string for the message: "option 'store'"
---@return cloud66.Store store # the value
function store.check(value, name) end

---A store is whatever has these four methods: bring your own. Keys are strings of 1 to 250 bytes, values strings of 1 MiB at
---most, ttl seconds above zero and 30 days at most.
---@class cloud66.Store
local Store = {}

---@param key string
---@return string|false|nil value # false where there is none; nil, message where the store failed
---@return string? message
function Store:get(key) end

---@param key string
---@param value string
---@param ttl number seconds; 0.001 removes
---@return true? ok
---@return string? message
function Store:set(key, value, ttl) end

---Sets what is not there. Atomic.
---@param key string
---@param value string
---@param ttl number seconds
---@return boolean? added # false where there is one
---@return string? message
function Store:add(key, value, ttl) end

---Counts on. Atomic.
---@param key string
---@param amount integer
---@param ttl number seconds; counts only where there was none
---@return integer? count # the new one, from 0 where there was none
---@return string? message
function Store:incr(key, amount, ttl) end

---@class cloud66.MemoryOptions
---Default 16 MiB.
---@field max_bytes? integer
---Default: as many as fit.
---@field max_entries? integer

---@class cloud66.RedisOptions
---Default 127.0.0.1.
---@field host? string
---Default 6379.
---@field port? integer
---A Unix socket, instead of host and port.
---@field path? string
---@field username? string
---@field password? string
---Default 0.
---@field database? integer
---Before every key. Default "cloud66:".
---@field prefix? string
---Seconds for a call, connecting included. Default 0.2.
---@field timeout? number
---Idle connections that a worker of nginx keeps. Default 10.
---@field pool? integer
