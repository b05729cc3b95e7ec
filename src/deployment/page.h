/*
 * deployment.h - the Deployment model of the Cloud 66 API, and how a page of them lies in
 * memory. No lua.h, no curl.h. The keys themselves are in field.h.
 */
#ifndef C66_DEPLOYMENT_H
#define C66_DEPLOYMENT_H

#include "deployment/field.h"
#include "json/json.h"

C66_BEGIN_DECLS

/* --- the model --- */

#define C66_ID_OF(id, ...) C66_##id,
typedef enum c66_field_id {
  C66_FIELDS(C66_ID_OF, C66_ID_OF, C66_ID_OF, C66_ID_OF, C66_ID_OF) C66_FIELD_COUNT,
  C66_UNKNOWN_FIELD = C66_FIELD_COUNT
} c66_field_id;
#undef C66_ID_OF

#if C66_FIELDS(C66_ONE_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW) 0 != 1
#error "a record has room for one INTEGER, the id"
#endif

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

/* What else a deployment answers to besides its keys. */
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

/* --- a page in memory: its records and words in one block, and the body they point into --- */

/* Where a record keeps each field: slots of texts, of words and of states. */
#define C66_SLOT_OF(id, ...) C66_SLOT_##id,
enum { C66_FIELDS(C66_NO_ROW, C66_SLOT_OF, C66_SLOT_OF, C66_NO_ROW, C66_NO_ROW) C66_TEXT_SLOTS };
enum { C66_FIELDS(C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_SLOT_OF, C66_NO_ROW) C66_WORD_SLOTS };
enum { C66_FIELDS(C66_SLOT_OF, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_SLOT_OF) C66_STATE_SLOTS };
#undef C66_SLOT_OF

/* Bytes of the body. */
typedef struct c66_ref {
  uint32_t offset; /* 0: none */
  uint32_t length; /* without C66_ESCAPED */
} c66_ref;

#define C66_ESCAPED 0x80000000U /* in c66_ref.length: the text holds backslashes */

/* Bytes of a record's object, by the place they start at in it. Offset 0 is its brace, so it marks
 * "none", and length says why (c66_nothing). */
typedef struct c66_near {
  uint16_t offset;
  uint16_t length; /* without C66_NEAR_ESCAPED */
} c66_near;

#define C66_NEAR_ESCAPED 0x8000U
#define C66_NEAR_LIMIT 0x8000U /* bytes an object may have for its texts to be near */

/* Why a text or a word is not there. */
typedef enum c66_nothing {
  C66_ABSENT, /* the key was not sent */
  C66_NULL,   /* it was null */
  C66_DRIFT,  /* it has a JSON type the model does not expect */
  C66_FIRST_WORD
} c66_nothing;

#define C66_MOST_WORDS 0xF000U /* distinct words of a page */

/* What is known of a boolean field, or of the id. Three bits each in c66_record.states. */
typedef enum c66_state {
  C66_STATE_ABSENT,
  C66_STATE_NULL,
  C66_STATE_DRIFT,
  C66_STATE_FALSE,
  C66_STATE_TRUE,
  C66_STATE_INTEGER = C66_STATE_FALSE, /* the id fits int64_t */
  C66_STATE_DIGITS = C66_STATE_TRUE    /* the id is whole and larger: look it up in the body */
} c66_state;

/*
 * c66_state of each slot, and C66_WIDE: the object is larger than near texts reach, or has a word
 * too many for the list, so that texts and words are looked up in the body when they are read.
 */
#if C66_FIELDS(C66_ONE_ROW, C66_NO_ROW, C66_NO_ROW, C66_NO_ROW, C66_ONE_ROW) 0 <= 5
typedef uint16_t c66_states;
#define C66_WIDE 0x8000U
#else
typedef uint32_t c66_states;
#define C66_WIDE 0x80000000U
#endif

/* One deployment, and no copy of any text. With 18 keys 64 bytes, a cache line. */
typedef struct c66_record {
  int64_t id;
  uint32_t offset; /* of the object in the body */
  uint32_t length; /* bytes, braces included */
  c66_near texts[C66_TEXT_SLOTS];
  uint16_t
      words[C66_WORD_SLOTS]; /* a c66_nothing, or C66_FIRST_WORD + index into the page's words */
  c66_states states;
} c66_record;

/* Which part of {code, meaning} is the machine word; a bare text is kept as the code. */
typedef enum c66_word_source {
  C66_NO_WORD,
  C66_WORD_IS_CODE,
  C66_WORD_IS_MEANING,
  C66_WORD_IS_BARE
} c66_word_source;

/* C99 has no static assertion: an array of negative size does as well. */
typedef char c66_states_fit[C66_STATE_SLOTS <= 5 * sizeof(c66_states) / sizeof(uint16_t) ? 1 : -1];

/* A distinct {code, meaning} (or bare word) of a page, as sent. */
typedef struct c66_word {
  c66_ref raw;     /* the whole value */
  c66_ref code;    /* text content, or a number's digits */
  c66_ref meaning; /* text content */
  uint8_t code_is_number;
  uint8_t source; /* c66_word_source */
  int8_t known;   /* index into the field's documented words, or -1 */
  uint8_t slot;   /* of the field */
} c66_word;

#define C66_NO_NUMBER INT64_MIN

typedef struct c66_pagination {
  int64_t current; /* C66_NO_NUMBER where not sent */
  int64_t next;
  int64_t previous;
  int64_t pages;
  int64_t total; /* deployments on all pages */
} c66_pagination;

typedef struct c66_page {
  const c66_record *records;
  const c66_word *words;
  const char *body; /* not owned: must live as long as the page; followed by a zero byte */
  size_t length;    /* of body, bytes */
  uint32_t count;
  c66_pagination pagination;
} c66_page;

/*
 * Reads the object {code, meaning}, or the bare text, at `p` into `w` (word.c). Returns the
 * position behind it, or NULL.
 */
const char *c66_parse_word(const c66_json *j, const char *p, int depth, const c66_field *f,
                           c66_word *w);

/* --- reading a record (record.c) --- */

static inline c66_state c66_get_state(const c66_record *r, unsigned slot) {
  return (c66_state)((r->states >> (3 * slot)) & 7U);
}

typedef enum c66_value_kind {
  C66_VALUE_NIL,
  C66_VALUE_BOOLEAN,
  C66_VALUE_INTEGER,
  C66_VALUE_NUMBER, /* span.start: a number as sent */
  C66_VALUE_TEXT,   /* span, perhaps escaped */
  C66_VALUE_LOWER,  /* span, perhaps escaped, to be put in lower case */
  C66_VALUE_WORD    /* word: static text of a documented word */
} c66_value_kind;

typedef struct c66_value {
  c66_value_kind kind;
  int boolean;
  int64_t integer;
  c66_span span;
} c66_value;

enum { C66_WORDS_EACH = 8 }; /* a field documents fewer words than this */

/* A number from 1 on for each documented word of each field. */
static inline int c66_word_index(unsigned field, int known) {
  return c66_fields[field].slot * C66_WORDS_EACH + known + 1;
}

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

/* Finds the raw JSON value of any key of the object as sent; the last one of that name. NULL when
 * absent. */
const char *c66_find(const c66_page *page, const c66_record *record, const char *name,
                     size_t length);

C66_END_DECLS

#endif
