-- Answers and their scores. A response has one score per voter: the newest.
CREATE TABLE responses (
  id TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  response TEXT NOT NULL,
  response_hash TEXT NOT NULL,
  model TEXT NOT NULL,
  created_at TEXT NOT NULL
);
CREATE INDEX responses_by_hash ON responses (response_hash);
CREATE TABLE scores (
  response_id TEXT NOT NULL REFERENCES responses (id),
  voter TEXT NOT NULL,
  score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
  comment TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (response_id, voter)
);
