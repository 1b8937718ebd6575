-- For each day and search type: how many properties are there, how many final, and how old is the oldest reading.
SELECT day, search_type, count(*) AS properties, count(*) FILTER (WHERE final) AS final,
       count(*) FILTER (WHERE saturated) AS at_the_cap, sum(rows) AS rows, min(fetched_at) AS read_at_least_since
FROM gsc.v_coverage
WHERE dimension_set = 'page-query' AND day > current_date - 90
GROUP BY day, search_type
ORDER BY day DESC, search_type;
