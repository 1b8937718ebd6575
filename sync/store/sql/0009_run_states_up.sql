CREATE VIEW {schema}.v_runs_running AS
SELECT schedule_uid, run_id, shard, shards, launch, started_at
FROM {schema}.run
WHERE state = 'running';
COMMENT ON VIEW {schema}.v_runs_running IS 'Runs that a launch holds. One that was killed stands here until the next launch takes over or for good: only the Job tells that it is gone.';

CREATE VIEW {schema}.v_runs_failed AS
SELECT schedule_uid, run_id, shard, shards, launch, started_at, finished_at, summary ->> 'state' AS outcome,
       summary ->> 'errorClass' AS error_class, (summary ->> 'failedWorkspaces')::bigint AS failed_workspaces,
       summary ->> 'message' AS message
FROM {schema}.run
WHERE state = 'ended' AND summary ->> 'state' IN ('Failed', 'Cancelled');
COMMENT ON VIEW {schema}.v_runs_failed IS 'Runs whose newest launch failed or was cancelled. A retry that begins takes a run away from here.';
COMMENT ON COLUMN {schema}.v_runs_failed.error_class IS 'Of the launch as a whole; what failed in its workspaces is in run.summary, under failures.';

CREATE VIEW {schema}.v_runs_waiting AS
SELECT schedule_uid, run_id, shard, shards, launch, started_at, finished_at, summary ->> 'state' AS outcome,
       finished_at + make_interval(secs => coalesce((summary ->> 'snoozeSeconds')::double precision, 0)) AS not_before,
       summary ->> 'message' AS message
FROM {schema}.run
WHERE state = 'ended' AND summary ->> 'state' IN ('Snoozed', 'Continues')
  AND NOT EXISTS (SELECT FROM {schema}.run AS newer
                  WHERE newer.schedule_uid = run.schedule_uid AND newer.run_id <> run.run_id
                    AND newer.started_at > run.started_at);
COMMENT ON VIEW {schema}.v_runs_waiting IS 'Runs that are to be launched again: quota was spent, or the time. A newer run of the schedule takes their place.';
COMMENT ON COLUMN {schema}.v_runs_waiting.not_before IS 'The earliest next launch; when it is, the operator decides. Slots that are to come are no rows here: kubectl get gscsyncs.';
