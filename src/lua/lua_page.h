/* lua_page.h - the page userdata, and the registration of it and of deployments.
 *
 * A page userdata is the block that envelope.c lays out, behind one word that marks it as ours; the
 * body it points into is the Lua string it was decoded from, its companion value. A deployment
 * userdata is a page, a record in it, and the page as companion value. So a deployment keeps its
 * page alive, and the page its body. Both are read-only and do no I/O. */
#ifndef C66_LUA_PAGE_H
#define C66_LUA_PAGE_H

#include "lua/compat.h"

C66_BEGIN_DECLS

/*
 * [-0, +0] Adds to the module table on top: decode, is_deployment, drifted, page_names,
 * deployment_methods and page_methods (the tables behind every deployment and page; the Lua layer adds
 * to them), and what lua_model.h adds.
 */
void c66_open_page(lua_State *L);

C66_END_DECLS

#endif
