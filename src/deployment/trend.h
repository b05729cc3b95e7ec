/* trend.h - in which order the deployments of a page come. */
#ifndef C66_TREND_H
#define C66_TREND_H

#include "deployment/page.h"

C66_BEGIN_DECLS

/* What a value does from one deployment to the next. */
typedef struct c66_trend {
  int64_t last;
  int any; /* there was a value: else `last` means nothing */
  int rises;
  int falls;
} c66_trend;

/*
 * Adds a page to the trend of the starts, Unix seconds, where those that are missing are passed over, and to that of the ids.
 * 0 where an id is missing or larger than 64 bits: then neither means anything.
 */
int c66_page_trend(const c66_page *page, c66_trend *starts, c66_trend *ids);

C66_END_DECLS

#endif
