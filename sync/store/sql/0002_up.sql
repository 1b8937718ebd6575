ALTER TABLE {schema}.run ADD COLUMN shards integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN {schema}.run.shards IS 'Into how many parts the run was divided; a row counts for that division only.';
ALTER TABLE {schema}.run DROP CONSTRAINT run_pkey, ADD PRIMARY KEY (schedule_uid, run_id, shard, shards);

CREATE OR REPLACE VIEW {schema}.v_runs AS
SELECT schedule_uid, run_id, shard, launch, state, started_at, finished_at,
       finished_at - started_at AS took, summary ->> 'state' AS outcome,
       (summary ->> 'failedWorkspaces')::bigint AS failed_workspaces, (summary ->> 'rowsWritten')::bigint AS rows_written,
       (summary ->> 'rowsDeleted')::bigint AS rows_deleted, summary ->> 'message' AS message, shards
FROM {schema}.run;
