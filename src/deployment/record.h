/* record.h - every name a deployment has, read from a page. */
#ifndef C66_RECORD_H
#define C66_RECORD_H

#include "deployment/page.h"
#include "json/walk.h"

C66_BEGIN_DECLS

typedef enum c66_value_kind {
  C66_VALUE_NIL,
  C66_VALUE_BOOLEAN,
  C66_VALUE_INTEGER,
  C66_VALUE_NUMBER, /* span.start: a number as sent */
  C66_VALUE_TEXT,   /* span, perhaps escaped */
  C66_VALUE_LOWER,  /* span, perhaps escaped, to be put in lower case */
  C66_VALUE_WORD    /* integer: the index of a documented word */
} c66_value_kind;

typedef struct c66_value {
  c66_value_kind kind;
  int boolean;
  int64_t integer;
  c66_span span;
} c66_value;

/* The value of any readable name. */
void c66_read(const c66_page *page, const c66_record *record, const c66_attribute *a,
              c66_value *out);

/* A date field's Unix seconds. 0 when there is none or the text is no date. */
int c66_seconds(const c66_page *page, const c66_record *record, c66_field_id field, int64_t *out);

/*
 * The JSON type the API sent for a field that reads nil, or whose date cannot be read; NULL when
 * all is well
 * ("string" for a date that is none).
 */
const char *c66_drift(const c66_page *page, const c66_record *record, c66_field_id field);

/* The same for any readable name: of the fields it is read from, the first that has drifted. */
const char *c66_attribute_drift(const c66_page *page, const c66_record *record,
                                const c66_attribute *a);

/* Starts reading JSON in the page's body. */
static inline void c66_page_json(const c66_page *page, c66_json *j, c66_error *error) {
  c66_json_init(j, page->body, page->length, error);
}

/* Finds the raw JSON value of any key of the object as sent; the last one of that name. NULL when
 * absent. */
const char *c66_find(const c66_page *page, const c66_record *record, const char *name,
                     size_t length);

C66_END_DECLS

#endif
