"""The statements evidence is read with, as SQLite and as Postgres spell them.

Lists of keys travel as one JSON parameter each: neither the text of a statement nor the number of
statements depends on how many there are. Everything is looked up from the side of the keys, by one of
Dagster's own indexes; where a planner might choose another, ``|| ''`` keeps it from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import sqlalchemy as db

from dashboard_trust.evidence.names import FRESHNESS

LISTS = ("assets", "partitions", "bodies", "runs")
SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {
        "join": "cross join",  # joins in the order in which it is written
        "contains": "instr",
        "is_other_than": "is not",
        "greatest": "max",
        "once": "",
        "pairs": "(select json_extract(value, '$[0]') as a, json_extract(value, '$[1]') as b from json_each(:pairs))",
        "ids": "(select value as id from json_each(:ids))",
        "quadruples": """(select json_extract(value, '$[0]') as a, json_extract(value, '$[1]') as b,
            json_extract(value, '$[2]') as id, json_extract(value, '$[3]') as known from json_each(:quadruples))""",
        "texts": "select value as text from json_each(:{})",
    },
    "postgresql": {
        "join": "join",
        "contains": "strpos",
        "is_other_than": "is distinct from",
        "greatest": "greatest",
        "once": "materialized",  # else what is said of a run is asked anew at every place it is used
        "pairs": "(select value ->> 0 as a, value ->> 1 as b from jsonb_array_elements(cast(:pairs as jsonb)))",
        "ids": "(select cast(value as bigint) as id from jsonb_array_elements_text(cast(:ids as jsonb)))",
        "quadruples": """(select value ->> 0 as a, value ->> 1 as b, cast(value ->> 2 as bigint) as id,
            cast(value ->> 3 as bigint) as known from jsonb_array_elements(cast(:quadruples as jsonb)))""",
        "texts": "select value as text from jsonb_array_elements_text(cast(:{} as jsonb))",
    },
}

# What statements have in common; each may use those before it.
PARTS: Mapping[str, str] = {
    "event": "e.id, e.asset_key, e.partition, e.run_id, e.step_key, e.timestamp",
    "loaded": "e.dagster_event_type = 'ASSET_MATERIALIZATION'",
    "planned": "e.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'",
    # The newest materialization of each place (a, b). Without a partition Postgres has no index to find it
    # by; mostly it is the newest one of its asset.
    "last": """
        with last as (
            select a, b, (
                select max(e.id) from event_logs e where e.asset_key = a and {loaded} and e.partition = b
            ) as id from {pairs} as pair where b is not null
            union all
            select a, b, coalesce(
                (select e.id from event_logs e where e.partition is null and e.id = (
                    select max(e.id) from event_logs e where e.asset_key = a and {loaded})),
                (select max(e.id) from event_logs e where e.asset_key = a and {loaded} and e.partition is null)
            ) as id from {pairs} as pair where b is null
        )""",
    # What the run of a load had planned of its asset: it lies between the first and the last event of the run.
    "of_its_run": """
        from event_logs e where e.asset_key = load.asset_key and {planned}
        and e.id between load.begun and load.ended and e.run_id || '' = load.run_id""",
    # The body of a plain pass says nothing that is asked for, save where it is asked what it says of a day, and of
    # freshness until when.
    "check": """
        c.asset_key, c.check_name, c.partition, c.id, c.execution_status, c.run_id,
        coalesce(c.evaluation_event_timestamp, c.create_timestamp),
        c.materialization_event_storage_id, c.evaluation_event_storage_id,
        case when c.execution_status = 'SUCCEEDED' and c.asset_key not in ({bodies})
             and c.check_name <> '{freshness}' then null
             else c.evaluation_event end""",
    # The newest execution that ended of each check (a, b) on one partition, and those planned after it. One that
    # is only planned names no load.
    "checks_back_to_an_end": """
        with newest as (
            select a, b, {greatest}(
                coalesce((
                    select max(c.id) from asset_check_executions c where c.asset_key = a and c.check_name = b
                    and c.materialization_event_storage_id is not null and {{on_it}}
                ), 0),
                coalesce((
                    select c.id from asset_check_executions c where c.asset_key = a and c.check_name = b
                    and c.materialization_event_storage_id is null and {{on_it}}
                    and c.execution_status <> 'PLANNED' order by c.id desc limit 1
                ), 0)
            ) as id from {pairs} as pair
        )
        select {check} from newest {join} asset_check_executions c on c.id = newest.id
        union all
        select {check} from newest {join} asset_check_executions c on c.asset_key = a and c.check_name = b
            and c.materialization_event_storage_id is null and {{on_it}} and c.id > newest.id
        order by 4 desc""",
}

ON_IT = {"checks_of_none": {"on_it": "c.partition is null"}, "checks_of_one": {"on_it": "c.partition = :partition"}}
QUERIES: Mapping[str, str] = {
    "newest_loads": """
        {last}, load as {once} (
            select {event}, e.event, k.wipe_timestamp,
                (select min(r.id) from event_logs r where r.run_id = nullif(e.run_id, '')) as begun,
                (select max(r.id) from event_logs r where r.run_id = nullif(e.run_id, '')) as ended
            from last {join} event_logs e on e.id = last.id left join asset_keys k on k.asset_key = e.asset_key
        )
        select id, asset_key, partition, run_id, step_key, timestamp, event,
            coalesce(
                (select min(e.id) {of_its_run} and e.partition = load.partition),
                (select min(e.id) {of_its_run} and e.partition is null)
            ) as planned_id,
            exists(select 1 {of_its_run} and e.partition {is_other_than} load.partition) as in_range,
            wipe_timestamp
        from load""",
    "open_plans": """
        {last}
        select {event}, k.wipe_timestamp
        from last {join} event_logs e
            on e.asset_key = a and {planned} and e.partition = b and e.id > coalesce(last.id, 0)
        left join asset_keys k on k.asset_key = e.asset_key
        union all
        select {event}, k.wipe_timestamp
        from last {join} event_logs e
            on b is null and e.asset_key = a and {planned} and e.partition is null and e.id > coalesce(last.id, 0)
        left join asset_keys k on k.asset_key = e.asset_key
        order by 1 desc""",
    "loads": "select {event}, e.event from {ids} as one {join} event_logs e on e.id = one.id where {loaded}",
    "observations": """
        select {event}, e.event from ({assets}) as one {join} event_logs e
            on e.asset_key = one.text and e.dagster_event_type = 'ASSET_OBSERVATION'
        where {contains}(e.event, :label) > 0
        order by e.id""",
    "newest_check": "select max(id) from asset_check_executions",
    "checks_between": """
        select {check} from asset_check_executions c
        where c.id > :after and c.id <= :upto and c.asset_key || '' in ({assets})
            and (c.partition is null or c.partition || '' in ({partitions}))
        order by c.id desc""",
    "checks_of_none": "{checks_back_to_an_end}",
    "checks_of_one": "{checks_back_to_an_end}",
    "check_ids_of_many": """
        select c.id, c.asset_key, c.check_name, c.partition, c.materialization_event_storage_id is not null
        from {pairs} as pair {join} asset_check_executions c on c.asset_key = a and c.check_name = b
        where c.partition || '' in ({partitions})""",
    "checks": "select {check} from {ids} as one {join} asset_check_executions c on c.id = one.id order by c.id desc",
    "checks_on_loads": """
        select {check} from {quadruples} as one {join} asset_check_executions c
            on c.asset_key = one.a and c.check_name = one.b and c.materialization_event_storage_id = one.id
        where c.id <> one.known and c.execution_status <> 'PLANNED'""",
    # By steps from one name to the next, since a check may have thousands of executions.
    "known_checks": """
        with recursive known(a, b) as (
            select one.text, (select min(c.check_name) from asset_check_executions c where c.asset_key = one.text)
            from ({assets}) as one
            union all
            select a, (select min(c.check_name) from asset_check_executions c
                where c.asset_key = a and c.check_name > b)
            from known where b is not null
        )
        select a, b from known where b is not null""",
    "held": """
        select c.run_id, c.asset_key, c.partition
        from {pairs} as pair {join} asset_check_executions c
            on c.run_id = a and c.asset_key = b and c.check_name = :check
        where c.execution_status = 'FAILED'""",
    "ended": """
        select one.text from ({runs}) as one where (
            select e.id from event_logs e where e.run_id = one.text
            and e.dagster_event_type || '' in ('PIPELINE_SUCCESS', 'PIPELINE_FAILURE', 'PIPELINE_CANCELED')
            order by e.id desc limit 1
        ) is not null""",
}


@cache
def spell_queries(dialect: str) -> Mapping[str, db.TextClause]:
    """Return the statements by name, for a dialect of SQLAlchemy's; raise TypeError for one not known here."""
    if dialect not in SPELLINGS:
        raise TypeError(f"evidence is read from SQLite and from Postgres, not from {dialect}")
    words = {**SPELLINGS[dialect], "freshness": FRESHNESS}
    words |= {name: words["texts"].format(name) for name in LISTS}
    for name, part in PARTS.items():
        words[name] = part.format_map(words)
    queries = {name: query.format_map(words) for name, query in QUERIES.items()}
    return MappingProxyType({name: db.text(text.format_map(ON_IT.get(name, {}))) for name, text in queries.items()})
