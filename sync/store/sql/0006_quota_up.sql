CREATE TABLE {schema}.quota (
    scope text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    leases jsonb NOT NULL DEFAULT '[]',
    learned double precision,
    learned_step double precision NOT NULL DEFAULT 0,
    refused_at_rate double precision NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 0,
    in_a_row integer NOT NULL DEFAULT 0,
    accepted_since integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT 'epoch',
    paused_until timestamptz NOT NULL DEFAULT 'epoch',
    rest_reason text,
    rest_until timestamptz,
    last_minute integer[] NOT NULL DEFAULT '{}',
    asked bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    touched_at timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (scope, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1);
COMMENT ON TABLE {schema}.quota IS 'Budgets of requests to Google that all running Jobs share. Read v_quota; deleting rows only forgets what was learnt.';
COMMENT ON COLUMN {schema}.quota.scope IS 'property, identity (the account behind a credential) or project (Google Cloud).';
COMMENT ON COLUMN {schema}.quota.leases IS 'One object a Job: holder, share and wants and ceiling in requests a second, until in seconds since 1970. One that is not renewed runs out.';
COMMENT ON COLUMN {schema}.quota.learned IS 'Requests a second that Google''s refusals left; NULL while the configured limit holds.';
COMMENT ON COLUMN {schema}.quota.learned_step IS 'By how much learned rises in a minute of full use.';
COMMENT ON COLUMN {schema}.quota.refused_at_rate IS 'The rate that is known to be too high: what refusals taught; 0 when none did.';
COMMENT ON COLUMN {schema}.quota.epoch IS 'Grows with each lesson: a refusal of a question sent before it teaches nothing.';
COMMENT ON COLUMN {schema}.quota.in_a_row IS 'Lessons with nothing accepted in between.';
COMMENT ON COLUMN {schema}.quota.accepted_since IS 'Questions accepted since the last lesson.';
COMMENT ON COLUMN {schema}.quota.changed_at IS 'When learned last changed.';
COMMENT ON COLUMN {schema}.quota.paused_until IS 'No Job asks before, after a refusal for the rate.';
COMMENT ON COLUMN {schema}.quota.rest_reason IS 'load: cool-down of a property; daily load: its load of the day is spent; daily: the project''s day is spent.';
COMMENT ON COLUMN {schema}.quota.rest_until IS 'No Job asks before.';
COMMENT ON COLUMN {schema}.quota.last_minute IS 'Accepted questions of the last minute: pairs of (seconds since 1970 by five, count).';
COMMENT ON COLUMN {schema}.quota.asked IS 'Questions that Google accepted since the row was made.';
COMMENT ON COLUMN {schema}.quota.refused IS 'Questions that Google refused for the rate since the row was made.';
COMMENT ON COLUMN {schema}.quota.touched_at IS 'When a Job last renewed a lease here. Rows are forgotten an hour later, a week when they have learnt something.';

CREATE VIEW {schema}.v_quota AS
SELECT quota.scope, quota.name, quota.learned, lease.jobs, lease.per_second,
       (SELECT coalesce(sum(last_minute[at + 1]), 0) FROM generate_series(1, cardinality(last_minute), 2) AS at
        WHERE last_minute[at] > extract(epoch FROM clock_timestamp()) / 5 - 13) AS last_minute,
       quota.asked, quota.refused,
       CASE WHEN quota.paused_until > clock_timestamp() THEN quota.paused_until END AS paused_until,
       CASE WHEN quota.rest_until > clock_timestamp() THEN quota.rest_reason END AS rests_for,
       CASE WHEN quota.rest_until > clock_timestamp() THEN quota.rest_until END AS rests_until,
       quota.touched_at
FROM {schema}.quota
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs, coalesce(sum((each ->> 'share')::double precision), 0) AS per_second
    FROM jsonb_array_elements(quota.leases) AS each
    WHERE (each ->> 'until')::double precision > extract(epoch FROM clock_timestamp())
) AS lease;
COMMENT ON VIEW {schema}.v_quota IS 'How fast Google may be asked, by whom it is shared now, what was learnt, and what rests.';
COMMENT ON COLUMN {schema}.v_quota.jobs IS 'Launches that hold a share now.';
COMMENT ON COLUMN {schema}.v_quota.per_second IS 'Requests a second that they may make together.';
COMMENT ON COLUMN {schema}.v_quota.last_minute IS 'Questions that Google accepted in the last minute.';
