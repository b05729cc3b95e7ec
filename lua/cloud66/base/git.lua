-- git.lua: whether two hashes name the same commit, two refs the same branch or tag.

local git = {}

local SHORTEST, WHOLE = 7, 40 -- hex digits

---Whether two hashes, either of them perhaps shortened, name the same commit.
---@param a string
---@param b string
---@return boolean
function git.same(a, b)
  local n = math.min(#a, #b)
  if n < SHORTEST or (n >= WHOLE and #a ~= #b) then
    return false
  end
  return a:sub(1, n):lower() == b:sub(1, n):lower()
end

---Whether two refs name the same branch or tag, either of them perhaps without its "refs/heads/".
---@param a string
---@param b string
---@return boolean
function git.same_ref(a, b)
  local short_a, short_b = a:gsub("^refs/%a+/", ""), b:gsub("^refs/%a+/", "")
  return a == b or (short_a == short_b and (short_a == a or short_b == b))
end

---Whether a git_ref can be a commit hash or the beginning of one: a branch may be called so too.
---@param ref string
---@return boolean
function git.may_be_hash(ref)
  return #ref >= SHORTEST and #ref <= 64 and not ref:find "%X"
end

return git
