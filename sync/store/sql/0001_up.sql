CREATE TABLE {schema}.meta (key text PRIMARY KEY, value text NOT NULL);
COMMENT ON TABLE {schema}.meta IS 'Facts about this schema. min_program_version: the oldest program that may write here.';
INSERT INTO {schema}.meta VALUES ('min_program_version', '1');

CREATE TABLE {schema}.property (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    altered boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE {schema}.property IS 'Search Console properties, spelled as Google spells them.';
COMMENT ON COLUMN {schema}.property.hash IS 'As in page; the same holds for altered.';

CREATE TABLE {schema}.page (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    text text COLLATE "C" NOT NULL,
    altered boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE {schema}.page IS 'Page URLs. The key is a hash of the original bytes, since an index cannot hold long URLs.';
COMMENT ON COLUMN {schema}.page.hash IS 'BLAKE2b-128 of the original text as UTF-8.';
COMMENT ON COLUMN {schema}.page.altered IS 'True when the original held NUL or lone surrogates, shown as signs here, or was cut at 65,536 characters.';

CREATE TABLE {schema}.query (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    text text COLLATE "C" NOT NULL,
    altered boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE {schema}.query IS 'Search queries; see page.';

CREATE TABLE {schema}.country (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text COLLATE "C" NOT NULL UNIQUE
);
CREATE TABLE {schema}.device (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text COLLATE "C" NOT NULL UNIQUE
);
CREATE TABLE {schema}.search_type (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text COLLATE "C" NOT NULL UNIQUE
);
COMMENT ON TABLE {schema}.country IS 'ISO 3166-1 alpha-3 in lower case, as Google gives them; extended when a new one appears.';
COMMENT ON TABLE {schema}.device IS 'DESKTOP, MOBILE, TABLET, or empty where the search type has no device.';
COMMENT ON TABLE {schema}.search_type IS 'web, image, video, news, discover, googleNews.';

CREATE TABLE {schema}.page_query (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    page_id integer NOT NULL,
    query_id integer NOT NULL,
    country_id smallint NOT NULL,
    device_id smallint NOT NULL,
    clicks integer NOT NULL,
    impressions integer NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, page_id, query_id, country_id, device_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.page_query IS 'Facts by page, query, country and device; one partition a month. Read v_page_query.';
COMMENT ON COLUMN {schema}.page_query.day IS 'Pacific calendar day (America/Los_Angeles), as everywhere in Search Console.';
COMMENT ON COLUMN {schema}.page_query.clicks IS 'A 32-bit number: a row with more is quarantined, and 64 bits would cost every row an eighth.';
COMMENT ON COLUMN {schema}.page_query.position IS 'Average position, 1-based, as precise as Google gives it; NULL where Google gives none.';

CREATE TABLE {schema}.run (
    schedule_uid text NOT NULL,
    run_id text NOT NULL,
    shard integer NOT NULL DEFAULT 0,
    launch integer NOT NULL,
    state text NOT NULL,
    summary jsonb,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (schedule_uid, run_id, shard)
);
COMMENT ON TABLE {schema}.run IS 'One row a run: the fence. Only the launch named here may write; a higher one takes over.';
COMMENT ON COLUMN {schema}.run.run_id IS 'The slot in unix minutes, or m- and a hash for a run by hand.';
COMMENT ON COLUMN {schema}.run.launch IS 'Number of the Job that holds the run; only grows.';
COMMENT ON COLUMN {schema}.run.state IS 'running; ended: a later launch may go on; complete: closed for good.';
COMMENT ON COLUMN {schema}.run.summary IS 'The summary of the launch that ended last, as in its termination message.';

CREATE TABLE {schema}.ledger (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    dimension_set text NOT NULL,
    rows integer NOT NULL,
    digest bytea NOT NULL,
    clicks bigint NOT NULL,
    impressions bigint NOT NULL,
    final boolean NOT NULL,
    saturated boolean NOT NULL,
    aggregation text NOT NULL,
    pages integer NOT NULL,
    duplicates integer NOT NULL,
    quarantined integer NOT NULL,
    empty_answers smallint NOT NULL DEFAULT 0,
    empty_run_id text NOT NULL DEFAULT '',
    schedule_uid text NOT NULL,
    run_id text NOT NULL,
    fetched_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (property_id, search_type_id, day, dimension_set)
) WITH (fillfactor = 70);
COMMENT ON TABLE {schema}.ledger IS 'One row a cell, written in the same transaction as its facts.';
COMMENT ON COLUMN {schema}.ledger.digest IS 'BLAKE2b-128 over the sorted rows: equal means that nothing has to be written.';
COMMENT ON COLUMN {schema}.ledger.aggregation IS 'Google''s responseAggregationType.';
COMMENT ON COLUMN {schema}.ledger.duplicates IS 'Rows that Google gave twice; stored once.';
COMMENT ON COLUMN {schema}.ledger.quarantined IS 'Rows that follow no rule; see quarantine.';
COMMENT ON COLUMN {schema}.ledger.empty_answers IS 'How often in a row Google answered empty while rows were stored.';
COMMENT ON COLUMN {schema}.ledger.run_id IS 'The run that asked last, changed or not.';
COMMENT ON COLUMN {schema}.ledger.fetched_at IS 'When the cell was last asked for.';
COMMENT ON COLUMN {schema}.ledger.changed_at IS 'When its rows last changed.';
COMMENT ON COLUMN {schema}.ledger.final IS 'False while Google may still change the day.';
COMMENT ON COLUMN {schema}.ledger.saturated IS 'Google''s cap of 50,000 rows was reached: the tail is not to be had.';
CREATE INDEX ledger_by_run ON {schema}.ledger (schedule_uid, run_id);

CREATE TABLE {schema}.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    dimension_set text NOT NULL,
    row_text text NOT NULL,
    run_id text NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.quarantine IS 'Rows of Google that follow no rule, as they came, of the newest version of their cell.';
CREATE INDEX quarantine_by_cell ON {schema}.quarantine (property_id, search_type_id, day, dimension_set);

CREATE VIEW {schema}.v_page_query AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       page.text AS page,
       query.text AS query,
       country.code AS country,
       device.code AS device,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.page_query AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.page ON page.id = fact.page_id
LEFT JOIN {schema}.query ON query.id = fact.query_id
LEFT JOIN {schema}.country ON country.id = fact.country_id
LEFT JOIN {schema}.device ON device.id = fact.device_id;
COMMENT ON VIEW {schema}.v_page_query IS 'The facts as a person reads them. Texts nobody asks for cost nothing (outer joins).';
COMMENT ON COLUMN {schema}.v_page_query.ctr IS 'Clicks by impressions, 0 to 1; derived here, as it is at Google.';
COMMENT ON COLUMN {schema}.v_page_query.query IS 'Empty where the search type has no queries (discover, googleNews).';

CREATE VIEW {schema}.v_coverage AS
SELECT property.url AS property, search_type.code AS search_type, ledger.dimension_set, ledger.day, ledger.rows,
       ledger.clicks, ledger.impressions, ledger.final, ledger.saturated, ledger.quarantined, ledger.fetched_at,
       ledger.changed_at, ledger.run_id
FROM {schema}.ledger
JOIN {schema}.property ON property.id = ledger.property_id
JOIN {schema}.search_type ON search_type.id = ledger.search_type_id;
COMMENT ON VIEW {schema}.v_coverage IS 'Which days are there, how fresh, and whether final.';

CREATE VIEW {schema}.v_runs AS
SELECT schedule_uid, run_id, shard, launch, state, started_at, finished_at,
       finished_at - started_at AS took, summary ->> 'state' AS outcome,
       (summary ->> 'failedWorkspaces')::bigint AS failed_workspaces, (summary ->> 'rowsWritten')::bigint AS rows_written,
       (summary ->> 'rowsDeleted')::bigint AS rows_deleted, summary ->> 'message' AS message
FROM {schema}.run;
COMMENT ON VIEW {schema}.v_runs IS 'Runs and how they ended.';
