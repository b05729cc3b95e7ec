/* word.h - {"code": ..., "meaning": ...}, or a bare "...", to a word of a page. */
#ifndef C66_WORD_H
#define C66_WORD_H

#include "deployment/page.h"
#include "json/walk.h"

C66_BEGIN_DECLS

/*
 * Reads the object {code, meaning}, or the bare text, at `p` into `w`. Returns the position behind
 * it, or NULL.
 */
const char *c66_parse_word(const c66_json *j, const char *p, int depth, const c66_field *f,
                           c66_word *w);

C66_END_DECLS

#endif
