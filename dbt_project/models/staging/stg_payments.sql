{{ config(alias="payments") }}

select
  payment_id, order_id, customer_id,
  {{ to_time("paid_at") }} as paid_at,
  {{ to_amount("amount") }} as amount,
  status,
  cast({{ to_time("paid_at") }} as date) as day
from {{ source("raw", "payments") }}
where {{ in_range("cast(" ~ to_time("paid_at") ~ " as date)") }}
