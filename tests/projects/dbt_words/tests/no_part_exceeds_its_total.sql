select paid_on
from {{ ref("paid") }} p
join {{ ref("total") }} t using (paid_on)
where p.amount > t.amount and {{ in_partition("paid_on") }}
