/* field.h - the keys of a deployment, one row each, in the order the API documents them.
 *
 * Source: the API's deployment model page (18 keys) and its deployments endpoints (16 keys).
 *
 * What a row is made into: an id (C66_OUTCOME), a slot of a record, decoding, the names a
 * deployment has, cloud66.core's lists of them, criteria, and what stack:poll() calls a
 * change. What else a new row needs is in CONTRIBUTING.md. */
#ifndef C66_FIELD_H
#define C66_FIELD_H

/*
 * INTEGER(ID, name): the id alone, the one that a record can hold
 * TEXT(ID, name)
 * DATE(ID, name, name of the same as Unix seconds)
 * WORD(ID, name, the documented words): {code, meaning}, or a bare text; read as name, name_code
 *   and name_meaning
 * BOOLEAN(ID, name)
 */
#define C66_FIELDS(INTEGER, TEXT, DATE, WORD, BOOLEAN)                                             \
  INTEGER(ID, "id")                                                                                \
  TEXT(TRIGGERED_BY, "triggered_by")                                                               \
  WORD(TRIGGERED_VIA, "triggered_via", "web", "api", "hook")                                       \
  DATE(STARTED_AT, "started_at", "started_time")                                                   \
  DATE(FINISHED_AT, "finished_at", "finished_time")                                                \
  WORD(OUTCOME, "outcome", "pending", "success", "failed")                                         \
  TEXT(GIT_HASH, "git_hash")                                                                       \
  TEXT(GIT_REF, "git_ref")                                                                         \
  TEXT(DEPLOY_SESSION, "deploy_session")                                                           \
  WORD(DEPLOY_TYPE, "deploy_type", "build", "redeploy", "scale", "first_build", "revert")          \
  BOOLEAN(IS_HEAD, "is_head")                                                                      \
  BOOLEAN(IS_LIVE, "is_live")                                                                      \
  BOOLEAN(REVERTED, "reverted")                                                                    \
  TEXT(REVERTED_BY, "reverted_by")                                                                 \
  DATE(REVERTED_AT, "reverted_at", "reverted_time")                                                \
  BOOLEAN(IS_DEPLOYING, "is_deploying")                                                            \
  TEXT(COMMIT_URL, "commit_url")                                                                   \
  TEXT(SNAPSHOT_UUID, "snapshot_uuid")

/* For rows of a kind that a list leaves out, and for counting them. */
#define C66_NO_ROW(...)
#define C66_ONE_ROW(...) 1 + /* NOLINT(bugprone-macro-parentheses): a 0 follows the last */

#endif
