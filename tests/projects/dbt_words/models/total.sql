select paid_on, sum(amount) {{ "+ 1" if var("break_total", false) }} as amount
from {{ ref("paid") }}
where paid_on not in (select paid_on from {{ ref("large") }})
group by paid_on
