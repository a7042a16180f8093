-- The votes of a training set, the model that was active when it was made, and how a training set is found by its votes.
CREATE INDEX ratings_by_snapshot ON ratings (snapshot, number) WHERE snapshot IS NOT NULL;
ALTER TABLE snapshots ADD COLUMN baseline TEXT NOT NULL DEFAULT '';

-- Why an alignment ended without a decision. The Workflow's engine keeps only that a step failed.
CREATE TABLE alignment_errors (
  align TEXT PRIMARY KEY,
  error TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
