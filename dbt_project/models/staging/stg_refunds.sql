{{ config(alias="refunds") }}

select
  refund_id, payment_id,
  {{ to_time("refunded_at") }} as refunded_at,
  {{ to_amount("amount") }} as amount,
  cast({{ to_time("refunded_at") }} as date) as day
from {{ source("raw", "refunds") }}
where {{ in_range("cast(" ~ to_time("refunded_at") ~ " as date)") }}
