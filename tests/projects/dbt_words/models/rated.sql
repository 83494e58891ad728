select
  (select count(*) from {{ source("raw", "fees") }}) as fees,
  (select count(*) from {{ source("raw", "taxes") }}) as taxes,
  (select count(*) from {{ source("raw", "rates") }}) as rates
