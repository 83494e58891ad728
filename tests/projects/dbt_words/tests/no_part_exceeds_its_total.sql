select * from {{ ref("total") }} t join {{ ref("paid") }} p using (paid_on) where p.amount > t.amount
