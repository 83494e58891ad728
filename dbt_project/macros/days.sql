{# A run covers the days from start_day to end_day, both included. #}

{% macro in_range(column) -%}
  {{ column }} between cast('{{ var("start_day") }}' as date) and cast('{{ var("end_day") }}' as date)
{%- endmacro %}

{# Empty the range before it is appended anew: a day that has become empty keeps no rows of before. #}
{% macro delete_range(column) -%}
  {% if is_incremental() %}delete from {{ this }} where {{ in_range(column) }}{% endif %}
{%- endmacro %}

{# The raw columns are text, as they were delivered. What does not fit becomes NULL, which the tests refuse. #}
{% macro to_amount(column) -%}
  try_cast({{ column }} as decimal(18, 2))
{%- endmacro %}

{# UTC, whatever offset the text has. #}
{% macro to_time(column) -%}
  {%- if target.type == "snowflake" -%}
  convert_timezone('UTC', try_to_timestamp_tz({{ column }}))::timestamp_ntz
  {%- else -%}
  cast(try_cast({{ column }} as timestamptz) as timestamp)
  {%- endif -%}
{%- endmacro %}

{# A sum that is not known where one of its parts is not: unlike SQL's own, which leaves it out. #}
{% macro total(column) -%}
  case when count(*) = count({{ column }}) then sum({{ column }}) end
{%- endmacro %}

{% macro days_of_run() -%}
  {%- set first = modules.datetime.date.fromisoformat(var("start_day") | string) -%}
  {%- set last = modules.datetime.date.fromisoformat(var("end_day") | string) -%}
  {%- for n in range((last - first).days + 1) %}
  select cast('{{ first + modules.datetime.timedelta(days=n) }}' as date) as report_date
  {%- if not loop.last %} union all{% endif %}
  {%- endfor %}
{%- endmacro %}
