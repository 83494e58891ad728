{{ config(alias="crm_opportunities") }}

select
  opportunity_id,
  account,
  stage,
  {{ to_amount("amount") }} as amount,
  {{ to_time("updated_at") }} as updated_at,
  partition_day as day
from {{ source("raw", "crm_opportunities") }}
where {{ in_range("partition_day") }}
