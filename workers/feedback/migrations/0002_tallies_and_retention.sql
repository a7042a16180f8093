-- One vote per text and voter (the newest), one tally per text, and the indexes to find old rows. Scores are counted in
-- millionths, so sums are exact for any order of votes.
CREATE TABLE votes (
  response_hash TEXT NOT NULL,
  voter TEXT NOT NULL,
  millionths INTEGER NOT NULL,
  PRIMARY KEY (response_hash, voter)
) WITHOUT ROWID;
CREATE TABLE tallies (
  response_hash TEXT PRIMARY KEY,
  votes INTEGER NOT NULL,
  millionths INTEGER NOT NULL,
  voted_at TEXT NOT NULL
) WITHOUT ROWID;

-- With MAX(), SQLite takes the other columns from the row that has the maximum. sqlite.org/lang_select.html#bareagg
INSERT INTO votes SELECT response_hash, voter, millionths FROM (
  SELECT response_hash, voter, CAST(ROUND(score * 1000000) AS INTEGER) AS millionths, MAX(scores.created_at)
  FROM scores JOIN responses ON response_id = id GROUP BY response_hash, voter
);
INSERT INTO tallies SELECT response_hash, COUNT(*), SUM(millionths), strftime('%Y-%m-%dT%H:%M:%fZ') FROM votes GROUP BY response_hash;
CREATE INDEX tallies_by_age ON tallies (voted_at);

-- Scored answers are kept for longer. Tallies replace the search by text.
ALTER TABLE responses ADD COLUMN scored_at TEXT;
UPDATE responses SET scored_at = (SELECT MAX(created_at) FROM scores WHERE response_id = id);
DROP INDEX responses_by_hash;
CREATE INDEX unscored_by_age ON responses (created_at) WHERE scored_at IS NULL;
CREATE INDEX scored_by_age ON responses (scored_at) WHERE scored_at IS NOT NULL;
