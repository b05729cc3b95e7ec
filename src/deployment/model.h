/* model.h - the Deployment model of the Cloud 66 API as tables.
 *
 * Its fields, whose keys are in field.h, and the names that it has. */
#ifndef C66_MODEL_H
#define C66_MODEL_H

#include "base/base.h"
#include "deployment/field.h"

C66_BEGIN_DECLS

#define C66_ID_OF(id, ...) C66_##id,
typedef enum c66_field_id {
  C66_FIELDS(C66_ID_OF, C66_ID_OF, C66_ID_OF, C66_ID_OF, C66_ID_OF) C66_FIELD_COUNT,
  C66_UNKNOWN_FIELD = C66_FIELD_COUNT
} c66_field_id;
#undef C66_ID_OF

#if C66_FIELDS(C66_ONE_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW) 0 != 1
#error "a record can hold one INTEGER, the id"
#endif

/* Where a record keeps each field: slots of texts, of words and of states. */
#define C66_SLOT_OF(id, ...) C66_SLOT_##id,
enum { C66_FIELDS(C66_NO_ROW, C66_SLOT_OF, C66_SLOT_OF, C66_NO_ROW, C66_NO_ROW) C66_TEXT_SLOTS };
enum { C66_FIELDS(C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_SLOT_OF, C66_NO_ROW) C66_WORD_SLOTS };
enum { C66_FIELDS(C66_SLOT_OF, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_SLOT_OF) C66_STATE_SLOTS };
#undef C66_SLOT_OF

typedef enum c66_type {
  C66_TEXT,
  C66_DATE,
  C66_BOOLEAN,
  C66_WORD,
  C66_INTEGER,
  C66_OTHER /* of a key that is no field */
} c66_type;

/* One of each row of field.h. */
typedef struct c66_field {
  const char *name;
  unsigned char length;     /* of name, bytes */
  unsigned char type;       /* c66_type */
  unsigned char slot;       /* where a record keeps it: index into texts, words or states */
  const char *const *words; /* C66_WORD: the documented words, ended by NULL */
} c66_field;

extern const c66_field c66_fields[C66_FIELD_COUNT];

enum { C66_WORDS_EACH = 8 }; /* a field documents fewer words than this */

/* A number from 1 on for each documented word of each field. */
static inline int c66_word_index(unsigned field, int known) {
  return c66_fields[field].slot * C66_WORDS_EACH + known + 1;
}

/* What else a deployment has besides its keys. */
typedef enum c66_view {
  C66_VIEW_FIELD,    /* the field itself */
  C66_VIEW_SECONDS,  /* a date as Unix seconds */
  C66_VIEW_DURATION, /* finished minus started, seconds */
  C66_VIEW_CODE,     /* the code of a word as sent */
  C66_VIEW_MEANING,  /* the meaning of a word as sent */
  C66_VIEW_IS_WORD,  /* whether the word is `word` */
  C66_VIEW_FINISHED, /* whether it has come to its end */
  C66_VIEW_RUNNING   /* whether it is known to go on */
} c66_view;

/* One of each readable name. */
typedef struct c66_attribute {
  const char *name;
  unsigned char view;  /* c66_view */
  unsigned char field; /* c66_field_id it looks at */
  unsigned char word;  /* C66_VIEW_IS_WORD: index into the field's words */
} c66_attribute;

extern const c66_attribute c66_attributes[];
extern const size_t c66_attribute_count;

/* Predicates are always true or false; fields may be absent. */
int c66_is_predicate(const c66_attribute *a);

C66_END_DECLS

#endif
