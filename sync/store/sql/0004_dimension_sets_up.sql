CREATE TABLE {schema}.appearance (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text COLLATE "C" NOT NULL UNIQUE
);
COMMENT ON TABLE {schema}.appearance IS 'Search appearances, as Google names them (PRODUCT_SNIPPETS, VIDEO ...); extended when a new one appears.';

CREATE TABLE {schema}.totals (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    clicks bigint NOT NULL,
    impressions bigint NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.totals IS 'Totals of a day by search type: everything Google counts, anonymised queries included. One partition a month. Read v_totals.';
CREATE VIEW {schema}.v_totals AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.totals AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id;
COMMENT ON VIEW {schema}.v_totals IS 'What happened on a day in all. See totals.';

CREATE TABLE {schema}.by_page (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    page_id integer NOT NULL,
    clicks integer NOT NULL,
    impressions integer NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, page_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_page IS 'Facts by page alone. Counts anonymised queries, so they exceed sums over page_query. One partition a month. Read v_by_page.';
CREATE VIEW {schema}.v_by_page AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       page.text AS page,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_page AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.page ON page.id = fact.page_id;
COMMENT ON VIEW {schema}.v_by_page IS 'Days by page. See by_page.';

CREATE TABLE {schema}.by_query (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    query_id integer NOT NULL,
    clicks integer NOT NULL,
    impressions integer NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, query_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_query IS 'Facts by query alone, counted by property: a search that shows two pages counts once. One partition a month. Read v_by_query.';
CREATE VIEW {schema}.v_by_query AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       query.text AS query,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_query AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.query ON query.id = fact.query_id;
COMMENT ON VIEW {schema}.v_by_query IS 'Days by query. See by_query.';

CREATE TABLE {schema}.by_country (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    country_id smallint NOT NULL,
    clicks bigint NOT NULL,
    impressions bigint NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, country_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_country IS 'Facts by country alone. One partition a month. Read v_by_country.';
CREATE VIEW {schema}.v_by_country AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       country.code AS country,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_country AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.country ON country.id = fact.country_id;
COMMENT ON VIEW {schema}.v_by_country IS 'Days by country. See by_country.';

CREATE TABLE {schema}.by_device (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    device_id smallint NOT NULL,
    clicks bigint NOT NULL,
    impressions bigint NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, device_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_device IS 'Facts by device alone. One partition a month. Read v_by_device.';
CREATE VIEW {schema}.v_by_device AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       device.code AS device,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_device AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.device ON device.id = fact.device_id;
COMMENT ON VIEW {schema}.v_by_device IS 'Days by device. See by_device.';

CREATE TABLE {schema}.by_appearance (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    appearance_id smallint NOT NULL,
    page_id integer NOT NULL,
    clicks integer NOT NULL,
    impressions integer NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, appearance_id, page_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_appearance IS 'Facts by search appearance and page. A page may have several appearances, so sums over them count twice. One partition a month. Read v_by_appearance.';
CREATE VIEW {schema}.v_by_appearance AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       appearance.code AS appearance,
       page.text AS page,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_appearance AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.appearance ON appearance.id = fact.appearance_id
LEFT JOIN {schema}.page ON page.id = fact.page_id;
COMMENT ON VIEW {schema}.v_by_appearance IS 'Days by search appearance and page. See by_appearance.';

CREATE TABLE {schema}.by_hour (
    property_id integer NOT NULL,
    search_type_id smallint NOT NULL,
    day date NOT NULL,
    hour timestamptz NOT NULL,
    page_id integer NOT NULL,
    clicks integer NOT NULL,
    impressions integer NOT NULL,
    position double precision,
    PRIMARY KEY (property_id, search_type_id, day, hour, page_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.by_hour IS 'Facts by hour and page, of the last ten days as they were last shown. One partition a month. Read v_by_hour.';
COMMENT ON COLUMN {schema}.by_hour.hour IS 'When the hour begins. A moment, not a time of day: in autumn one hour comes twice.';
CREATE VIEW {schema}.v_by_hour AS
SELECT property.url AS property,
       search_type.code AS search_type,
       fact.day,
       fact.hour,
       page.text AS page,
       fact.clicks,
       fact.impressions,
       CASE WHEN fact.impressions > 0 THEN fact.clicks::double precision / fact.impressions ELSE 0 END AS ctr,
       fact.position
FROM {schema}.by_hour AS fact
LEFT JOIN {schema}.property ON property.id = fact.property_id
LEFT JOIN {schema}.search_type ON search_type.id = fact.search_type_id
LEFT JOIN {schema}.page ON page.id = fact.page_id;
COMMENT ON VIEW {schema}.v_by_hour IS 'Hours by page. See by_hour.';
