/* lua_deployment.h - the deployment userdata: one record, which keeps its page alive. */
#ifndef C66_LUA_DEPLOYMENT_H
#define C66_LUA_DEPLOYMENT_H

#include "deployment/page.h"
#include "lua/compat.h"

C66_BEGIN_DECLS

/* [-0, +1] A deployment of the page userdata at stack index `page_idx`. */
void c66_pushdeployment(lua_State *L, int page_idx, const c66_page *page, size_t index);

/* drifted(deployment, name) -> the JSON type sent where `name` cannot be read from it, else nil */
int c66_lua_drifted(lua_State *L);
int c66_lua_is_deployment(lua_State *L);

extern const luaL_Reg c66_deployment_methods[];
extern const luaL_Reg c66_deployment_metamethods[];

C66_END_DECLS

#endif
