/**
 * Every SQL statement of the Worker. Each statement finds its rows by a key or an index, however many rows there are. A test
 * compares the query plans with a list of allowed scans.
 */
export const SQL = {
  ping: "SELECT 1 FROM responses LIMIT 1",

  addResponse: "INSERT OR IGNORE INTO responses (id, text, response, response_hash, model, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  responseText: "SELECT response FROM responses WHERE id = ?1",
  responseHash: "SELECT response_hash FROM responses WHERE id = ?1",

  /** ?1 answer, ?2 voter, ?3 score, ?4 comment, ?5 now. */
  putScore: `INSERT INTO scores (response_id, voter, score, comment, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET score = excluded.score, comment = excluded.comment, created_at = excluded.created_at`,
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
  deleteScores: `DELETE FROM scores WHERE response_id IN
    (SELECT id FROM responses WHERE scored_at IS NOT NULL AND scored_at < ?1 ORDER BY scored_at LIMIT ?2)`,
  deleteScored: `DELETE FROM responses WHERE rowid IN
    (SELECT rowid FROM responses WHERE scored_at IS NOT NULL AND scored_at < ?1 ORDER BY scored_at LIMIT ?2)`,
  deleteVotes: `DELETE FROM votes WHERE response_hash IN (SELECT response_hash FROM tallies WHERE voted_at < ?1 ORDER BY voted_at LIMIT ?2)`,
  deleteTallies: `DELETE FROM tallies WHERE response_hash IN (SELECT response_hash FROM tallies WHERE voted_at < ?1 ORDER BY voted_at LIMIT ?2)`,
} as const;
