{{ config(materialized="ephemeral") }}
select paid_on, amount from {{ ref("paid") }} where amount > 100
