-- What a vote needs to teach: the conversation as the model read it, and the other candidates.
ALTER TABLE responses ADD COLUMN prompt TEXT;
ALTER TABLE responses ADD COLUMN candidates TEXT;

-- One vote per answer and rater, in one of four kinds. `snapshot` names the training set that has used it; such a vote is fixed.
CREATE TABLE ratings (
  number INTEGER PRIMARY KEY,
  response_id TEXT NOT NULL REFERENCES responses (id),
  rater TEXT NOT NULL,
  network TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('score', 'thumb', 'preferred', 'correction')),
  score REAL CHECK (score BETWEEN 0 AND 1),
  preferred INTEGER,
  correction TEXT,
  comment TEXT,
  created_at TEXT NOT NULL,
  snapshot TEXT,
  UNIQUE (response_id, rater)
);
INSERT INTO ratings (response_id, rater, network, kind, score, comment, created_at)
  SELECT response_id, voter, voter, 'score', score, comment, created_at FROM scores ORDER BY created_at;
-- Code of the version before still writes here during a deploy and after a rollback. The new table has no reference to responses,
-- so that its rows never keep an old answer from being deleted.
DROP TABLE scores;
CREATE TABLE scores (
  response_id TEXT NOT NULL,
  voter TEXT NOT NULL,
  score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
  comment TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (response_id, voter)
);
CREATE INDEX ratings_by_rater ON ratings (rater, number);
CREATE INDEX ratings_by_rater_and_time ON ratings (rater, created_at);
CREATE INDEX ratings_by_network ON ratings (network, created_at);
CREATE INDEX unused_ratings ON ratings (number) WHERE snapshot IS NULL;
CREATE INDEX votes_by_voter ON votes (voter);

-- Pairs of answers: whose vote, when and by which rule. `place` is the order in the snapshot.
CREATE TABLE preferences (
  snapshot TEXT NOT NULL,
  place INTEGER NOT NULL,
  response_id TEXT NOT NULL,
  rater TEXT NOT NULL,
  rule TEXT NOT NULL,
  prompt TEXT NOT NULL,
  better TEXT NOT NULL,
  worse TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (snapshot, place)
) WITHOUT ROWID;
CREATE INDEX preferences_by_rater ON preferences (rater);

-- Training sets. `pairs` is the hash of the object in R2 that holds the pairs; it never changes.
CREATE TABLE snapshots (
  id TEXT PRIMARY KEY,
  pairs TEXT,
  count INTEGER NOT NULL,
  ratings INTEGER NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;

-- Decisions about models, newest last: promoted, refused, rolled back.
CREATE TABLE promotions (
  number INTEGER PRIMARY KEY,
  align TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('promoted', 'refused', 'rolled-back')),
  candidate TEXT NOT NULL,
  baseline TEXT NOT NULL,
  report TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (align, verdict)
);
