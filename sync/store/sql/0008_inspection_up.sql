CREATE TABLE {schema}.url_inspection (
    property_id integer NOT NULL,
    page_id integer NOT NULL,
    verdict text NOT NULL,
    coverage text NOT NULL,
    robots text NOT NULL,
    indexing text NOT NULL,
    fetched text NOT NULL,
    crawled_as text NOT NULL,
    crawled_at timestamptz,
    google_canonical text NOT NULL,
    user_canonical text NOT NULL,
    inspected_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (property_id, page_id)
);
COMMENT ON TABLE {schema}.url_inspection IS 'Pages as Google''s index knows them, in Google''s words; empty where it says nothing. Read v_url_inspection.';
COMMENT ON COLUMN {schema}.url_inspection.verdict IS 'PASS, PARTIAL, FAIL or NEUTRAL; empty for a page that Google refused to inspect.';
COMMENT ON COLUMN {schema}.url_inspection.inspected_at IS 'When it was last asked for; the daily quota is counted by it.';
COMMENT ON COLUMN {schema}.url_inspection.changed_at IS 'When the answer last said something else; a newer crawl alone is no change.';

CREATE VIEW {schema}.v_url_inspection AS
SELECT property.url AS property, page.text AS page, known.verdict, known.coverage, known.robots, known.indexing,
       known.fetched, known.crawled_as, known.crawled_at, known.google_canonical, known.user_canonical,
       known.inspected_at, known.changed_at
FROM {schema}.url_inspection AS known
JOIN {schema}.property ON property.id = known.property_id
JOIN {schema}.page ON page.id = known.page_id;
COMMENT ON VIEW {schema}.v_url_inspection IS 'Inspected pages as a person reads them.';
