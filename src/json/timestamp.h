/* timestamp.h - date text to Unix seconds. No allocation, no time zone database. */
#ifndef C66_TIMESTAMP_H
#define C66_TIMESTAMP_H

#include "base/base.h"

C66_BEGIN_DECLS

/*
 * Reads the forms the API is known to send, and what a person would type:
 *
 *   2024-02-15T14:30:00Z   2024-02-15T14:30:00.123+01:00   2024-02-15 14:30:00 UTC
 *   2024-02-15 14:30       2024-02-15
 *
 * A date without a zone is UTC. A fraction is cut off. A leap second counts as the second after it.
 * Returns 1 and the Unix seconds, or 0 when the text is no date.
 */
int c66_timestamp(const char *text, size_t length, int64_t *seconds);

C66_END_DECLS

#endif
