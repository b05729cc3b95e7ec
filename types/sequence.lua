---@meta _
-- Lazy sequences, and what goes through them.

---A lazy sequence, gone through once: `for item in sequence do`. A page is fetched when its first item is asked for. A
---sequence over many stacks gives each item with its stack.
---
---A `for` loop cannot return an error, so inside one the err object is raised: pcall the loop, or use each(), which returns
---it. Going on after `break` is allowed; using a sequence again that was derived from, closed or used up raises.
---@class cloud66.Sequence
---Of a sequence over many stacks: the stacks that could not be read so far. Reading it of another sequence raises.
---@field failed? cloud66.Failure[]
---@operator call: any
local Sequence = {}

---The items that meet criteria.
---@param wanted cloud66.DeploymentCriteria|cloud66.StackCriteria|fun(item: any, stack: cloud66.Stack?): any
---@return cloud66.Sequence sequence # fails with `decode` where a field it goes by is in a form this library does not know
function Sequence:where(wanted) end

---What fn makes of each item; nil raises.
---@param fn fun(item: any, stack: cloud66.Stack?): any
---@return cloud66.Sequence sequence
function Sequence:map(fn) end

---At most so many items; the one after them is not fetched.
---@param n integer from 1
---@return cloud66.Sequence sequence
function Sequence:take(n) end

---Up to the first item of which fn is false.
---@param fn fun(item: any, stack: cloud66.Stack?): any
---@return cloud66.Sequence sequence
function Sequence:take_while(fn) end

---The first item, and the stack it is of in a sequence over many.
---@return any? item
---@return any message_or_stack
---@return cloud66.Error? err # kind `none`: there is no item
function Sequence:first() end

---How many items there are.
---@return integer? count
---@return string? message
---@return cloud66.Error? err
function Sequence:count() end

---All items as a list.
---@param limit? integer at most so many
---@return any[]? items
---@return string? message
---@return cloud66.Error? err
function Sequence:collect(limit) end

---A `for` loop whose failures are returned: the way to go inside nginx and on Lua 5.1.
---@param fn fun(item: any, stack: cloud66.Stack?)
---@return integer? count
---@return string? message
---@return cloud66.Error? err
function Sequence:each(fn) end

---Lists of items by a field, or by what a function makes of each.
---@param by string|fun(item: any, stack: cloud66.Stack?): any what it gives nil for stands under cloud66.null
---@return table<any, any[]>? groups
---@return string? message
---@return cloud66.Error? err
function Sequence:group_by(by) end

---One value from all items.
---@param fn fun(accumulated: any, item: any, stack: cloud66.Stack?): any never nil
---@param init any to begin with, and the result when there are no items; not nil
---@return any? accumulated
---@return string? message
---@return cloud66.Error? err
function Sequence:reduce(fn, init) end

---A stack that a sequence over many could not read, or not to its end.
---@class cloud66.Failure
---@field stack cloud66.Stack
---@field message string
---@field err cloud66.Error
