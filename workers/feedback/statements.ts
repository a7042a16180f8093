/**
 * Every SQL statement of the Worker. Each statement finds its rows by a key or an index, however many rows there are. A test
 * compares the query plans with a list of allowed scans.
 */
export const SQL = {
  ping: "SELECT 1 FROM responses LIMIT 1",

  addResponse: `INSERT OR IGNORE INTO responses (id, text, response, response_hash, model, created_at, prompt, candidates)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
  responseText: "SELECT response FROM responses WHERE id = ?1",
  /** The answer ?1, and the snapshot that has used the vote of rater ?2 on it. */
  votedAnswer: `SELECT response_hash, candidates, (SELECT snapshot FROM ratings WHERE response_id = ?1 AND rater = ?2) AS snapshot
    FROM responses WHERE id = ?1`,
  /** How many answers rater ?1 has voted on since ?2, without ?4; the count stops at ?3. */
  ratingsOfRater: `SELECT COUNT(*) AS count FROM
    (SELECT 1 FROM ratings WHERE rater = ?1 AND created_at >= ?2 AND response_id <> ?4 LIMIT ?3)`,
  /** How many votes came from network ?1 since ?2; the count stops at ?3. */
  ratingsOfNetwork: "SELECT COUNT(*) AS count FROM (SELECT 1 FROM ratings WHERE network = ?1 AND created_at >= ?2 LIMIT ?3)",

  /** ?1 answer, ?2 rater, ?3 network, ?4 kind, ?5 score, ?6 preferred, ?7 correction, ?8 comment, ?9 now. A used vote stays. */
  putRating: `INSERT INTO ratings (response_id, rater, network, kind, score, preferred, correction, comment, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (response_id, rater) DO UPDATE SET kind = excluded.kind, score = excluded.score, preferred = excluded.preferred,
      correction = excluded.correction, comment = excluded.comment, created_at = excluded.created_at WHERE snapshot IS NULL`,
  markScored: "UPDATE responses SET scored_at = ?2 WHERE id = ?1",
  /** ?1 text's hash, ?2 voter, ?3 millionths, ?4 now. Runs before putVote, because it reads the vote that putVote replaces. */
  addToTally: `INSERT INTO tallies (response_hash, votes, millionths, voted_at) VALUES (?1, 1, ?3, ?4)
    ON CONFLICT DO UPDATE SET
      votes = votes + NOT EXISTS (SELECT 1 FROM votes WHERE response_hash = ?1 AND voter = ?2),
      millionths = millionths + ?3 - COALESCE((SELECT old.millionths FROM votes AS old WHERE old.response_hash = ?1 AND old.voter = ?2), 0),
      voted_at = excluded.voted_at`,
  putVote: `INSERT INTO votes (response_hash, voter, millionths) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET millionths = excluded.millionths`,
  tally: "SELECT votes, millionths FROM tallies WHERE response_hash = ?1",

  /**
   * Two counts of answers since ?1: answers that have no vote, then answers whose newest vote came since ?1. Each count stops at
   * ?2 rows. In the second, `voted` counts all rows and `answers` counts those that were also given since ?1.
   */
  unscoredSince: `SELECT COUNT(*) AS count FROM (SELECT 1 FROM responses WHERE scored_at IS NULL AND created_at >= ?1 LIMIT ?2)`,
  scoredSince: `SELECT COUNT(*) AS voted, COALESCE(SUM(created_at >= ?1), 0) AS answers FROM
    (SELECT created_at FROM responses WHERE scored_at IS NOT NULL AND scored_at >= ?1 LIMIT ?2)`,

  /** The time of the oldest answer among the newest ?1 answers; no row if there are fewer answers. Row ids grow with time. */
  timeOfOldestKept: `SELECT created_at FROM responses WHERE rowid > (SELECT MAX(rowid) FROM responses) - ?1
    AND (SELECT MAX(rowid) FROM responses) > ?1 ORDER BY rowid LIMIT 1`,
  /** ?1 time, ?2 maximum number of rows. All deletions have these parameters. */
  deleteUnscored: `DELETE FROM responses WHERE rowid IN
    (SELECT rowid FROM responses WHERE scored_at IS NULL AND created_at < ?1 ORDER BY created_at LIMIT ?2)`,
  deleteRatings: `DELETE FROM ratings WHERE response_id IN
    (SELECT id FROM responses WHERE scored_at IS NOT NULL AND scored_at < ?1 ORDER BY scored_at LIMIT ?2)`,
  deleteScored: `DELETE FROM responses WHERE rowid IN
    (SELECT rowid FROM responses WHERE scored_at IS NOT NULL AND scored_at < ?1 ORDER BY scored_at LIMIT ?2)`,
  deleteVotes: `DELETE FROM votes WHERE response_hash IN (SELECT response_hash FROM tallies WHERE voted_at < ?1 ORDER BY voted_at LIMIT ?2)`,
  deleteTallies: `DELETE FROM tallies WHERE response_hash IN (SELECT response_hash FROM tallies WHERE voted_at < ?1 ORDER BY voted_at LIMIT ?2)`,

  /** ?1 number after which the page begins, ?2 rows. */
  listRatings: "SELECT * FROM ratings WHERE number > ?1 ORDER BY number LIMIT ?2",
  /** ?3 rater. */
  listRatingsOf: "SELECT * FROM ratings WHERE rater = ?3 AND number > ?1 ORDER BY number LIMIT ?2",

  /** Everything of rater ?1. The tallies go first, because they need the votes. */
  forgetTallies: `UPDATE tallies SET votes = votes - 1,
      millionths = millionths - (SELECT own.millionths FROM votes AS own WHERE own.response_hash = tallies.response_hash AND own.voter = ?1)
    WHERE response_hash IN (SELECT response_hash FROM votes WHERE voter = ?1)`,
  forgetVotes: "DELETE FROM votes WHERE voter = ?1",
  forgetPreferences: "DELETE FROM preferences WHERE rater = ?1",
  forgetRatings: "DELETE FROM ratings WHERE rater = ?1",

  /** Training set ?1 takes the oldest ?2 unused votes, unless it has begun. Votes on prompts that are no conversations stay. */
  takeRatings: `UPDATE ratings SET snapshot = ?1 WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE id = ?1) AND number IN
    (SELECT number FROM ratings INDEXED BY unused_ratings
      WHERE snapshot IS NULL AND number > 0 AND (SELECT prompt FROM responses WHERE id = response_id) IS NOT NULL ORDER BY number LIMIT ?2)`,
  addSnapshot: `INSERT OR IGNORE INTO snapshots (id, baseline, count, ratings, created_at)
    VALUES (?1, ?2, 0, (SELECT COUNT(*) FROM ratings WHERE snapshot = ?1), ?3)`,
  snapshot: "SELECT baseline, pairs, count, ratings FROM snapshots WHERE id = ?1",
  ratingsOfSnapshot: `SELECT number, response_id, rater, score, preferred, correction, ratings.created_at, prompt, response, candidates
    FROM ratings JOIN responses ON responses.id = ratings.response_id WHERE snapshot = ?1 ORDER BY number LIMIT ?2`,
  addPreference: `INSERT OR IGNORE INTO preferences (snapshot, place, response_id, rater, rule, prompt, better, worse, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
  completeSnapshot: "UPDATE snapshots SET pairs = ?2, count = ?3 WHERE id = ?1",
  releaseRatings: "UPDATE ratings SET snapshot = NULL WHERE snapshot = ?1",
  deleteSnapshot: "DELETE FROM snapshots WHERE id = ?1",
  /** ?1 alignment, ?2 verdict, ?3 candidate, ?4 baseline, ?5 report, ?6 now. */
  addDecision: `INSERT OR IGNORE INTO promotions (align, verdict, candidate, baseline, report, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
  putError: `INSERT INTO alignment_errors (align, error, created_at) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET error = excluded.error, created_at = excluded.created_at`,
  deleteError: "DELETE FROM alignment_errors WHERE align = ?1",
  errorOf: "SELECT error FROM alignment_errors WHERE align = ?1",
  decisionsOf: "SELECT * FROM promotions WHERE align = ?1",
  listDecisions: "SELECT * FROM promotions WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
} as const;
