DROP VIEW {schema}.v_runs;
DELETE FROM {schema}.run WHERE shards <> 1;
ALTER TABLE {schema}.run DROP CONSTRAINT run_pkey, ADD PRIMARY KEY (schedule_uid, run_id, shard);
ALTER TABLE {schema}.run DROP COLUMN shards;

CREATE VIEW {schema}.v_runs AS
SELECT schedule_uid, run_id, shard, launch, state, started_at, finished_at,
       finished_at - started_at AS took, summary ->> 'state' AS outcome,
       (summary ->> 'failedWorkspaces')::bigint AS failed_workspaces, (summary ->> 'rowsWritten')::bigint AS rows_written,
       (summary ->> 'rowsDeleted')::bigint AS rows_deleted, summary ->> 'message' AS message
FROM {schema}.run;
COMMENT ON VIEW {schema}.v_runs IS 'Runs and how they ended.';
