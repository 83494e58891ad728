select order_id, ordered_on, amount from {{ source('raw', 'orders') }}
