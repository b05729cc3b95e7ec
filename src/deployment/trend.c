/* trend.c - in which order the deployments of a page come: see trend.h. */
#include "deployment/trend.h"

#include "deployment/record.h"

static void add(c66_trend *trend, int64_t value) {
  if (trend->any && value > trend->last)
    trend->rises = 1;
  else if (trend->any && value < trend->last)
    trend->falls = 1;
  trend->any = 1;
  trend->last = value;
}

int c66_page_trend(const c66_page *page, c66_trend *starts, c66_trend *ids) {
  uint32_t i;
  for (i = 0; i < page->count; i++) {
    const c66_record *record = &page->records[i];
    int64_t start;
    if (c66_get_state(record, c66_fields[C66_ID].slot) != C66_STATE_INTEGER)
      return 0;
    add(ids, record->id);
    if (c66_seconds(page, record, C66_STARTED_AT, &start))
      add(starts, start);
  }
  return 1;
}
