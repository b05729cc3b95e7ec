-- number.lua: numbers as text, without a point or an exponent where they are whole; and where they lie in a list.

local number = {}

local math_type = rawget(math, "type") -- Lua 5.3 and later

---The digits of a whole number that is exact.
---@return string|nil
function number.digits(value)
  if type(value) ~= "number" then
    return nil
  elseif math_type and math_type(value) == "integer" then
    return ("%d"):format(value)
  elseif value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return nil
end

---A value as it stands in a URL or a header.
---@param value string|number|boolean
---@return string
function number.text(value)
  return number.digits(value) or type(value) == "number" and ("%.14g"):format(value) or tostring(value)
end

---The smallest number of a sorted list that so many percent of it do not exceed (nearest rank).
---@param sorted number[]  not empty
---@param percent integer  whole, since 0.9 * 10 may be a little more than 9
---@return number
function number.percentile(sorted, percent)
  return sorted[math.max(1, math.ceil(#sorted * percent / 100))]
end

return number
