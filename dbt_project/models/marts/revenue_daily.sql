with days as (
  {{ days_of_run() }}
),

payments as (
  select day, {{ total("amount") }} as gross_revenue
  from {{ ref("stg_payments") }}
  where status = 'paid' and {{ in_range("day") }}
  group by day
),

refunds as (
  select day, {{ total("amount") }} as refunds
  from {{ ref("stg_refunds") }}
  where {{ in_range("day") }}
  group by day
),

orders as (
  select day, count(*) as orders
  from {{ ref("stg_orders") }}
  where status = 'paid' and {{ in_range("day") }}
  group by day
)

select
  days.report_date,
  cast(case when payments.day is null then 0 else payments.gross_revenue end as decimal(18, 2)) as gross_revenue,
  cast(case when refunds.day is null then 0 else refunds.refunds end as decimal(18, 2)) as refunds,
  cast(
    case when payments.day is null then 0 else payments.gross_revenue end
    - case when refunds.day is null then 0 else refunds.refunds end
    as decimal(18, 2)
  ) as net_revenue,
  cast(coalesce(orders.orders, 0) as bigint) as orders
from days
left join payments on payments.day = days.report_date
left join refunds on refunds.day = days.report_date
left join orders on orders.day = days.report_date
