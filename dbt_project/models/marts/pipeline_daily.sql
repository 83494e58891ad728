select
  day as report_date,
  stage,
  cast(count(*) as bigint) as opportunities,
  cast({{ total("amount") }} as decimal(18, 2)) as amount
from {{ ref("stg_crm_opportunities") }}
where {{ in_range("day") }}
group by day, stage
