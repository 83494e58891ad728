"""Ways to read the event log a little wrong."""

from __future__ import annotations

import sqlalchemy as db

from dashboard_trust.readers import event_log, event_tables, executions
from dashboard_trust.readers.event_queries import spell_queries


def respell(patch, query, *changes) -> None:
    """Change the text of one statement, or of all that have it."""

    def spell(dialect):
        queries = dict(spell_queries(dialect))
        for name in queries if query is None else [query]:
            text = str(queries[name])
            for old, new in changes:
                assert query is None or old in text
                text = text.replace(old, new)
            queries[name] = db.text(text)
        return queries

    patch.setattr(event_tables, "spell_queries", spell)


def results_are_looked_up_by_the_loads_of_their_place(patch):
    """The fast shape that was once tried: what looked at an odd load is overlooked."""
    of_place = """exists(select 1 from event_logs e where e.id = c.materialization_event_storage_id
        and e.asset_key = c.asset_key and coalesce(e.partition, '') = coalesce(c.partition, ''))"""
    respell(patch, None, ("c.materialization_event_storage_id is not null and", f"{of_place} and"))


def general_words_are_never_read(patch):
    patch.setattr(executions.Executions, "_general", lambda self: set())


def general_words_hide_those_of_partitions(patch):
    patch.setattr(executions.Executions, "missing", lambda self: set())


def a_plan_counts_as_an_end(patch):
    patch.setattr(executions, "PLANNED", "never")


def the_oldest_is_looked_up_first(patch):
    of_many = "c.id = one.id order by c.id"
    respell(patch, None, ("order by 4 desc", "order by 4"), (f"{of_many} desc", of_many))


def a_plan_is_an_end_where_it_is_looked_up(patch):
    respell(patch, None, ("and c.execution_status <> 'PLANNED' order", "order"))


def nothing_is_planned_after_the_newest(patch):
    respell(patch, None, ("and c.id > newest.id", "and 1 = 0"))


def only_the_newest_execution_is_looked_up(patch):
    def choose(stored, places):
        newest = {}
        for id_, place, _ in stored:
            newest[place] = max(id_, newest.get(place, 0))
        return [id_ for place, id_ in newest.items() if place in places]

    patch.setattr(event_tables, "choose_newest", choose)


def slices_leave_one_out(patch):
    respell(patch, "checks_between", ("c.id <= :upto", "c.id < :upto"))


def every_pass_comes_without_its_body(patch):
    respell(patch, None, ("c.asset_key not in", "'' not in"))


def no_load_is_wiped(patch):
    respell(patch, "newest_loads", ("            wipe_timestamp\n", "            null\n"))


def no_plan_is_wiped(patch):
    respell(patch, "open_plans", ("k.wipe_timestamp", "null"))


def plans_before_the_load_are_open(patch):
    respell(patch, "open_plans", ("coalesce(last.id, 0)", "0"))


def plans_without_partition_are_overlooked(patch):
    respell(patch, "open_plans", ("on b is null", "on 1 = 0"))


def no_load_is_of_a_range(patch):
    patch.setattr(event_tables.Row, "in_range", False)


def a_load_is_planned_by_any_run(patch):
    respell(patch, "newest_loads", ("e.run_id || '' = load.run_id", "e.run_id || '' <> ''"))


def a_load_is_planned_when_it_was_planned_last(patch):
    respell(patch, "newest_loads", ("min(e.id)", "max(e.id)"))


def a_pointer_may_point_at_anything(patch):
    respell(patch, "loads", ("e.dagster_event_type = 'ASSET_MATERIALIZATION'", "1 = 1"))


def what_checks_looked_at_is_not_read(patch):
    patch.setattr(event_log, "_targets", lambda checks: set())


def what_loads_point_at_is_not_read(patch):
    patch.setattr(event_log, "_pointers", lambda loads: set())


def any_failed_check_is_a_hold(patch):
    respell(patch, "held", ("and c.check_name = :check", "and :check <> ''"))


def a_gate_that_passed_is_a_hold(patch):
    respell(patch, "held", ("where c.execution_status = 'FAILED'", ""))


def nothing_is_held(patch):
    patch.setattr(event_tables.EventTables, "held_places", lambda self, attempts: set())


def runs_of_checks_are_not_read(patch):
    patch.setattr(
        event_log, "_open_attempts", lambda plans, checks: {(r.run_id, r.asset) for rows in plans for r in rows}
    )


def words_come_newest_first(patch):
    respell(patch, "observations", ("order by e.id", "order by e.id desc"))


def partitions_are_all_one(patch):
    respell(patch, None, ("and e.partition = b", ""))


MUTANTS = [
    results_are_looked_up_by_the_loads_of_their_place,
    general_words_are_never_read,
    general_words_hide_those_of_partitions,
    a_plan_counts_as_an_end,
    the_oldest_is_looked_up_first,
    a_plan_is_an_end_where_it_is_looked_up,
    nothing_is_planned_after_the_newest,
    only_the_newest_execution_is_looked_up,
    slices_leave_one_out,
    every_pass_comes_without_its_body,
    no_load_is_wiped,
    no_plan_is_wiped,
    plans_before_the_load_are_open,
    plans_without_partition_are_overlooked,
    no_load_is_of_a_range,
    a_load_is_planned_by_any_run,
    a_load_is_planned_when_it_was_planned_last,
    a_pointer_may_point_at_anything,
    what_checks_looked_at_is_not_read,
    what_loads_point_at_is_not_read,
    any_failed_check_is_a_hold,
    a_gate_that_passed_is_a_hold,
    nothing_is_held,
    runs_of_checks_are_not_read,
    words_come_newest_first,
    partitions_are_all_one,
]
