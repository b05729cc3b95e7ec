-- Whether several items of map() and the like are under way at once. PUC Lua 5.1 cannot yield across an iterator: there one
-- comes after another.
return _VERSION ~= "Lua 5.1" or package.loaded.jit ~= nil
