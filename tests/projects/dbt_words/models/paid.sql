{{
  config(
    materialized="incremental",
    pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ in_partition('paid_on') }}{% endif %}"
  )
}}
select payment_id, paid_on, nullif(amount, 0) as amount {{ ", no_such_column" if var("break_paid", false) }}
from {{ source("raw", "payments") }}
where {{ in_partition("paid_on") }}
