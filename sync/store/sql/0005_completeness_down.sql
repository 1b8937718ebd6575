DROP VIEW {schema}.v_completeness_by_property, {schema}.v_completeness;
