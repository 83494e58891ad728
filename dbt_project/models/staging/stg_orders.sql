{{ config(alias="orders") }}

select
  order_id, customer_id,
  {{ to_time("ordered_at") }} as ordered_at,
  {{ to_amount("amount") }} as amount,
  status,
  cast({{ to_time("ordered_at") }} as date) as day
from {{ source("raw", "orders") }}
where {{ in_range("cast(" ~ to_time("ordered_at") ~ " as date)") }}
