/* model.c - the tables of the Deployment model, made of the rows of field.h. */
#include "deployment/model.h"

/* --- fields --- */

#define C66_WORDS_OF(id, name, ...) static const char *const words_of_##id[] = {__VA_ARGS__, NULL};
C66_FIELDS(C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_WORDS_OF, C66_NO_ROW)

#define C66_FEW_WORDS(id, name, ...)                                                               \
  typedef char                                                                                     \
      c66_few_words_of_##id[sizeof words_of_##id / sizeof(char *) <= C66_WORDS_EACH ? 1 : -1];
C66_FIELDS(C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_FEW_WORDS, C66_NO_ROW)

#define ROW(id, name, type, words) {name, sizeof(name) - 1, type, C66_SLOT_##id, words},
#define INTEGER(id, name) ROW(id, name, C66_INTEGER, NULL)
#define TEXT(id, name) ROW(id, name, C66_TEXT, NULL)
#define DATE(id, name, seconds) ROW(id, name, C66_DATE, NULL)
#define WORD(id, name, ...) ROW(id, name, C66_WORD, words_of_##id)
#define BOOLEAN(id, name) ROW(id, name, C66_BOOLEAN, NULL)

const c66_field c66_fields[C66_FIELD_COUNT] = {C66_FIELDS(INTEGER, TEXT, DATE, WORD, BOOLEAN)};

#undef DATE
#undef WORD

/* --- readable names --- */

#define VIEW(name, view, id) {name, view, C66_##id, 0},
#define FIELD(id, name) VIEW(name, C66_VIEW_FIELD, id)
#define DATE(id, name, seconds) FIELD(id, name) VIEW(seconds, C66_VIEW_SECONDS, id)
#define WORD(id, name, ...)                                                                        \
  FIELD(id, name)                                                                                  \
  VIEW(name "_code", C66_VIEW_CODE, id)                                                            \
  VIEW(name "_meaning", C66_VIEW_MEANING, id)
#define IS_WORD(name, field, word)                                                                 \
  { name, C66_VIEW_IS_WORD, field, word }

/* clang-format off: it takes rows that end with their own comma for one expression */
const c66_attribute c66_attributes[] = {
    C66_FIELDS(FIELD, FIELD, DATE, WORD, FIELD){"duration", C66_VIEW_DURATION, C66_STARTED_AT, 0},
    IS_WORD("is_pending", C66_OUTCOME, 0),
    IS_WORD("is_success", C66_OUTCOME, 1),
    IS_WORD("is_failed", C66_OUTCOME, 2),
    {"is_finished", C66_VIEW_FINISHED, C66_OUTCOME, 0},
    {"is_running", C66_VIEW_RUNNING, C66_OUTCOME, 0},
    IS_WORD("via_web", C66_TRIGGERED_VIA, 0),
    IS_WORD("via_api", C66_TRIGGERED_VIA, 1),
    IS_WORD("via_hook", C66_TRIGGERED_VIA, 2),
    IS_WORD("type_build", C66_DEPLOY_TYPE, 0),
    IS_WORD("type_redeploy", C66_DEPLOY_TYPE, 1),
    IS_WORD("type_scale", C66_DEPLOY_TYPE, 2),
    IS_WORD("type_first_build", C66_DEPLOY_TYPE, 3),
    IS_WORD("type_revert", C66_DEPLOY_TYPE, 4),
};
/* clang-format on */

const size_t c66_attribute_count = sizeof c66_attributes / sizeof c66_attributes[0];

int c66_is_predicate(const c66_attribute *a) { return a->view >= C66_VIEW_IS_WORD; }
