ALTER TABLE {schema}.ledger ADD COLUMN parts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN {schema}.ledger.parts IS 'Into how many parts the cell was read because it reached the cap; 0 when it was read as one.';
COMMENT ON COLUMN {schema}.ledger.saturated IS 'Google''s cap of 50,000 rows was reached, and reading in parts did not get below it: the tail is missing.';

CREATE TABLE {schema}.property_access (
    schedule_uid text NOT NULL,
    workspace text NOT NULL,
    property_id integer NOT NULL,
    kind text NOT NULL,
    permission text NOT NULL,
    since timestamptz NOT NULL,
    gone_at timestamptz,
    PRIMARY KEY (schedule_uid, workspace, property_id)
);
COMMENT ON TABLE {schema}.property_access IS 'Properties that the identity of each workspace sees, synced or not. Read v_properties.';
COMMENT ON COLUMN {schema}.property_access.kind IS 'domain (sc-domain:...) or url-prefix. Both of one site overlap: adding them up counts twice.';
COMMENT ON COLUMN {schema}.property_access.permission IS 'As Google names it: siteOwner, siteFullUser, siteRestrictedUser, siteUnverifiedUser (no data).';
COMMENT ON COLUMN {schema}.property_access.since IS 'When this permission was first seen.';
COMMENT ON COLUMN {schema}.property_access.gone_at IS 'When the identity was first seen without the property; NULL while it has it.';

CREATE TABLE {schema}.sitemap (
    property_id integer NOT NULL,
    hash bytea NOT NULL,
    path text NOT NULL,
    type text NOT NULL,
    is_index boolean NOT NULL,
    is_pending boolean NOT NULL,
    submitted_at timestamptz,
    downloaded_at timestamptz,
    warnings bigint NOT NULL,
    errors bigint NOT NULL,
    contents jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    gone_at timestamptz,
    PRIMARY KEY (property_id, hash)
);
COMMENT ON TABLE {schema}.sitemap IS 'Sitemaps of each property, as Google last listed them. Read v_sitemaps.';
COMMENT ON COLUMN {schema}.sitemap.hash IS 'BLAKE2b-128 of the path, as in page.';
COMMENT ON COLUMN {schema}.sitemap.contents IS 'Submitted URLs by kind: {"web": 100, "image": 5}.';
COMMENT ON COLUMN {schema}.sitemap.gone_at IS 'When Google first listed the others without it; NULL while it is listed.';

CREATE TABLE {schema}.sitemap_list (
    property_id integer PRIMARY KEY,
    sitemaps integer,
    run_id text NOT NULL,
    asked_at timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.sitemap_list IS 'When the sitemaps of a property were last asked for; once a day is enough.';
COMMENT ON COLUMN {schema}.sitemap_list.sitemaps IS 'How many there were; NULL when the identity may not see them (a restricted user).';

CREATE VIEW {schema}.v_properties AS
SELECT property.url AS property, access.kind, access.workspace, access.permission,
       access.permission <> 'siteUnverifiedUser' AS readable, access.since, access.gone_at, access.schedule_uid
FROM {schema}.property_access AS access
JOIN {schema}.property ON property.id = access.property_id;
COMMENT ON VIEW {schema}.v_properties IS 'Which properties each workspace''s identity sees, and with which permission.';

CREATE VIEW {schema}.v_sitemaps AS
SELECT property.url AS property, sitemap.path, sitemap.type, sitemap.is_index, sitemap.is_pending,
       sitemap.submitted_at, sitemap.downloaded_at, sitemap.warnings, sitemap.errors,
       (SELECT sum(each.value::bigint) FROM jsonb_each_text(sitemap.contents) AS each) AS urls,
       sitemap.contents, sitemap.changed_at, sitemap.gone_at, list.asked_at
FROM {schema}.sitemap
JOIN {schema}.property ON property.id = sitemap.property_id
LEFT JOIN {schema}.sitemap_list AS list ON list.property_id = sitemap.property_id;
COMMENT ON VIEW {schema}.v_sitemaps IS 'Sitemaps as Google last listed them; gone_at is set for those it no longer lists.';
COMMENT ON COLUMN {schema}.v_sitemaps.urls IS 'Submitted URLs of all kinds.';
