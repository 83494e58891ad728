{# The partition of a run, for models that are built by partition and for what their tests look at.

   A model says which column is its partition:

       config: {meta: {dashboard_trust: {partition_column: ordered_on}}}

   `run_dbt` passes the vars partition_start and partition_end (exclusive), as 'YYYY-MM-DD HH:MM:SS' in the time zone
   of the partitions. Without them (`dbt test` by hand) everything is looked at. #}

{% macro in_partition(column) -%}
  {%- if var("partition_start", none) -%}
  {{ column }} >= cast('{{ var("partition_start") }}' as {{ dbt.type_timestamp() }})
  and {{ column }} < cast('{{ var("partition_end") }}' as {{ dbt.type_timestamp() }})
  {%- else -%}
  1 = 1
  {%- endif -%}
{%- endmacro %}

{# What a generic test looks at: the rows of the run's partition, where the model names its column.
   Done here and not in a `where`, whose variables may keep the values they had when the project was parsed. #}
{% macro default__get_where_subquery(relation) -%}
  {%- set node = graph.nodes.get(model.attached_node) if execute and model.attached_node else none -%}
  {%- set column = node.config.meta.get("dashboard_trust", {}).get("partition_column") if node else none -%}
  {%- set where = config.get("where") -%}
  {%- set conditions = ([] if not where else ["(" ~ where ~ ")"]) + ([] if not column else [in_partition(column)]) -%}
  {%- if conditions -%}
  (select * from {{ relation }} where {{ conditions | join(" and ") }}) dbt_subquery
  {%- else -%}
  {{ relation }}
  {%- endif -%}
{%- endmacro %}
