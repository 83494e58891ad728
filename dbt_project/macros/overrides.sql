{# Schemas are named as they are written, without the target's prefix. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name or target.schema }}
{%- endmacro %}

{# A test looks only at the days of its run: what is wrong with another day is that day's matter.
   Done here and not in a `where`, whose variables keep the values they had when the project was parsed. #}
{% macro get_where_subquery(relation) -%}
  {%- set column = "report_date" if relation.schema == "marts" else "day" -%}
  (select * from {{ relation }} where {{ in_range(column) }}) dbt_subquery
{%- endmacro %}
