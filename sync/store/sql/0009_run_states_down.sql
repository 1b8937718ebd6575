DROP VIEW {schema}.v_runs_waiting;
DROP VIEW {schema}.v_runs_failed;
DROP VIEW {schema}.v_runs_running;
