"""Steps that call a source which fails: of each class, in real runs, on a clock that only Dagster's waiting moves."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pytest
import time_machine
from dagster._core.execution.plan import active

from dashboard_trust.cli.explanations import describe_explanation, read_explanation
from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.audited_assets import audited
from dashboard_trust.enforcement.calls import calling, read_outage
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.errors import ContractError, FailureClass, SourceError, WarehouseBusyError
from dashboard_trust.failures.policy import Budget, Retries
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
pytestmark = pytest.mark.long
HOUR = dt.timedelta(hours=1)
OWNERS = {"transient": "team:net", "permission": "team:access", "data": "team:data"}
SHOP = Source("shop_api", ("raw",), owner="team:shop", owners=OWNERS)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but where somebody sleeps."""
    with time_machine.travel(START, tick=False) as clock:
        shift = lambda seconds: clock.shift(dt.timedelta(seconds=max(seconds, 0.001)))  # noqa: E731
        monkeypatch.setattr(active, "time", SimpleNamespace(time=time.time, sleep=shift))
        yield clock


class Shop:
    """raw, of a source that answers by `answers` (by call), and a dashboard on it."""

    def __init__(self, instance, run, source=SHOP, **options):
        self.instance, self._run, self.calls, self.answers = instance, run, [], lambda call: None

        @dg.asset(owners=["team:raw"], **options)
        def raw() -> None:
            self.calls.append(dt.datetime.now(dt.UTC))
            error = self.answers(len(self.calls))
            if error is not None:
                raise error

        contract = DashboardContract("dash", "team:dash")
        dash = trusted_dashboard(contract, lambda *_: None, deps=["raw"])
        self.defs = trust(dg.Definitions([raw, dash]), sources=[source])
        self.contract = contract

    def run(self, *assets):
        return self._run(self.defs, *(assets or ("raw",)))

    @property
    def gate(self):
        return gates(self.defs)[dg.AssetKey("dash")]

    @property
    def verdict(self):
        return self.gate.judge(self.instance, [None], dt.datetime.now(dt.UTC))[None]

    def explain(self):
        return describe_explanation(read_explanation(self.gate, self.instance, [None], dt.datetime.now(dt.UTC)))

    def tags(self, result):
        return self.instance.get_run_by_id(result.run_id).tags


@pytest.fixture
def shop(instance, run, clock):
    return Shop(instance, run)


CLASSES = [
    (SourceError("half of a file", "data"), "data", "team:data"),
    (SourceError("a column is gone", "schema"), "schema", "team:shop"),
    (FileNotFoundError("payments.csv"), "contract", "team:shop"),
    (PermissionError("denied"), "permission", "team:access"),
    (ValueError("?"), "unknown", "team:shop"),
]


@pytest.mark.parametrize(("error", "failure_class", "owner"), CLASSES, ids=str)
def test_what_no_retry_mends_is_called_once_whatever_retries_others_declare(instance, run, error, failure_class, owner):
    shop = Shop(instance, run, retry_policy=dg.RetryPolicy(max_retries=5))
    shop.answers = lambda call: error
    result = shop.run()

    assert (result.success, len(shop.calls)) == (False, 1)
    assert shop.tags(result)["dagster/retry_on_asset_or_op_failure"] == "false"
    assert shop.tags(result)["dashboard_trust/failure_class"] == failure_class
    (finding,) = shop.verdict.causes
    assert (str(finding.outcome), finding.owner, str(finding.failure.failure_class)) == (
        "errored",
        owner,
        failure_class,
    )
    assert str(error).strip("'") in finding.told
    assert f"{failure_class} failure of shop_api, called 1 time; not tried again by itself" in finding.told
    assert shop.explain()["next_steps"][0].startswith(f"{owner}: ")
    assert shop.explain()["findings"][0]["failure"]["failure_class"] == failure_class


def test_what_may_pass_is_tried_again_after_pauses_that_double_until_it_passes(shop, instance):
    shop.answers = lambda call: ConnectionResetError("reset") if call < 5 else None

    result = shop.run("raw", "dash")
    assert result.success
    assert "dashboard_trust/failure_class" not in shop.tags(result)  # what passed is no failure of the run
    pauses = [later - call for call, later in zip(shop.calls, shop.calls[1:], strict=False)]
    for n, pause in enumerate(pauses):
        full = dt.timedelta(seconds=30) * 2**n
        assert 0.75 * full <= pause <= 1.25 * full + dt.timedelta(seconds=1)
    assert len(pauses) == 4
    assert shop.verdict.causes == ()
    assert read_outage(instance, "shop_api").since is None


def test_while_it_waits_it_is_said_what_for(shop):
    seen = []

    def answers(call):
        if call == 3:
            seen.append((shop.verdict.causes[0], shop.explain()["next_steps"][0]))
        return ConnectionResetError("reset by peer") if call < 3 else None

    shop.answers = answers
    shop.run()
    ((finding, step),) = seen

    assert (str(finding.outcome), finding.owner) == ("pending", "team:net")
    assert (
        "reset by peer (transient failure of shop_api, called 2 times; next try 2026-01-01 00:01 UTC)" in finding.told
    )
    assert step == "Wait: shop_api is asked again by itself, from 2026-01-01 00:01 UTC"


def test_it_is_given_up_at_the_limit_and_said_so_in_a_failure_of_its_own(instance, run, clock):
    shop = Shop(instance, run, Source("shop_api", ("raw",), policies={"transient": Retries(limit=3)}))
    shop.answers = lambda call: TimeoutError("no answer")
    result = shop.run()
    (failed,) = [event for event in result.all_events if event.is_step_failure]

    assert len(shop.calls) == 3
    said = failed.step_failure_data.user_failure_data.metadata
    assert (said["failure_class"].value, said["attempts"].value) == ("transient", 3)
    assert said["next_step"].value == "team:raw: see whether shop_api is up, then materialize raw"
    assert "Exceeded" not in str(failed.step_failure_data.error)
    (finding,) = shop.verdict.causes
    assert (finding.owner, finding.failure.attempts) == ("team:raw", 3)
    assert shop.explain()["next_steps"][0] == "team:raw: see whether shop_api is up, then materialize raw"


def test_what_a_source_asks_for_is_waited_for_and_no_longer_than_is_worth_it(instance, run, clock):
    shop = Shop(instance, run)
    shop.answers = lambda call: SourceError("slowly", "transient", HOUR) if call == 1 else None
    assert shop.run().success
    assert shop.calls[1] - shop.calls[0] >= HOUR

    shop.answers = lambda call: SourceError("come back next week", "transient", 7 * 24 * HOUR)
    shop.calls.clear()
    assert not shop.run().success
    assert len(shop.calls) == 1


def test_a_step_of_another_run_does_not_call_a_source_that_is_known_to_be_out(shop, instance):
    shop.answers = lambda call: PermissionError("denied") if call > 1 else TimeoutError("no answer")
    before = dt.datetime.now(dt.UTC)
    shop.run()
    assert read_outage(instance, "shop_api").failed_at == before  # of what it did call, only that said nothing
    shop.answers = lambda call: None
    number = len(shop.calls)
    assert shop.run().success

    assert shop.calls[number] - shop.calls[0] >= dt.timedelta(seconds=45)


def test_a_source_of_which_only_the_data_are_wrong_is_not_out(shop, instance):
    shop.answers = lambda call: TimeoutError() if call == 1 else SourceError("half", "data")
    shop.run()

    assert read_outage(instance, "shop_api").since is None


def test_a_body_whose_first_call_is_answered_and_whose_second_never_is_comes_to_its_limit(instance, run, clock):
    source, calls = Source("shop_api", policies={"transient": Retries(limit=4)}), []

    @dg.asset
    def raw() -> None:
        with calling(source):
            calls.append("list")
        with calling(source):
            calls.append("details")
            raise TimeoutError

    assert not run(dg.Definitions([raw]), "raw").success
    assert calls == ["list", "details"] * 4


def test_of_a_step_that_broke_in_another_way_than_it_was_tried_again_for_nobody_waits(instance, run, clock):
    """The API is lost once and answers then; what breaks the step in the end is the write, of which no source says."""
    calls = []

    class Full(dg.IOManager):
        def handle_output(self, context, obj):
            raise RuntimeError("the disk is full")

        def load_input(self, context): ...

    @dg.asset(owners=["team:raw"], io_manager_key="full")
    def raw():
        calls.append(1)
        if len(calls) == 1:
            raise TimeoutError("no answer")
        return 1

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=["raw"])
    defs = trust(dg.Definitions([raw, dash], resources={"full": Full()}), sources=[SHOP])

    assert not run(defs, "raw").success
    (finding,) = gates(defs)[dg.AssetKey("dash")].judge(instance, [None], dt.datetime.now(dt.UTC))[None].causes
    assert (finding.owner, finding.failure) == ("team:raw", None)
    assert "the disk is full" in finding.told
    assert "next try" not in finding.told


def test_a_run_in_which_several_steps_are_given_up_names_each_class(instance, run, clock):
    @dg.asset
    def one() -> None:
        raise PermissionError("denied")

    @dg.asset
    def two() -> None:
        raise FileNotFoundError("gone")

    sources = [Source("a", ("one",)), Source("b", ("two",))]
    result = run(trust(dg.Definitions([one, two]), sources=sources), "one", "two")

    tags = instance.get_run_by_id(result.run_id).tags
    assert tags["dashboard_trust/failure_class"] == "contract, permission"


def test_behind_a_gate_what_is_held_calls_nothing_and_what_is_not_is_tried_again(instance, run, clock, is_held):
    calls = []

    @dg.asset
    def raw() -> None: ...

    @dg.asset(deps=[raw])
    def mart() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise TimeoutError

    source = Source("warehouse", ("mart",))
    defs = trust(dg.Definitions([raw, trusted(mart, owner="team:mart")]), sources=[source])

    assert is_held(run(defs, "mart"))
    assert calls == []
    assert run(defs, "raw", "mart").success
    assert len(calls) == 2


def test_a_contract_may_name_the_source_and_the_dashboard_itself_may_be_of_one(instance, run, clock):
    sent = []

    def refresh(context, verdicts):
        sent.append(1)
        if len(sent) == 1:
            raise TimeoutError

    @dg.asset
    def raw() -> None: ...

    contract = DashboardContract("dash", "team:dash", sources=(Source("bi", ("dash",)),))
    defs = trust(dg.Definitions([raw, trusted_dashboard(contract, refresh, deps=["raw"])]))

    assert run(defs, "raw", "dash").success
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([Source("a", ("nothing",))], "names asset 'nothing', which no step makes"),
        ([Source("a", ("raw",)), Source("b", ("raw",))], "is of two sources, 'a' and 'b'"),
        ([Source("a", ("raw",)), Source("a", ("raw",), owner="team:x")], "two declarations of source 'a'"),
        ([Source("a", ("one",)), Source("b", ("two",))], "made by one step"),
    ],
)
def test_what_is_declared_wrongly_is_said_when_definitions_load(sources, message):
    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")])
    def both(): ...

    @dg.asset
    def raw() -> None: ...

    with pytest.raises(ContractError, match=message):
        trust(dg.Definitions([both, raw]), sources=sources)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"policies": {"data": Retries()}}, "never tried again"),
        ({"policies": {"schema": Retries()}}, "never tried again"),
        ({"policies": {"transient": "sometimes"}}, "is no policy"),
        ({"policies": {"odd": "stop"}}, "no failure class 'odd'"),
        ({"owners": {"volume": "team:x"}}, "no failure class 'volume'"),
    ],
)
def test_a_source_says_what_it_cannot_be(said, message):
    with pytest.raises(ContractError, match=message):
        Source("a", ("raw",), **said)


@pytest.mark.parametrize("make", [lambda: Retries(limit=0), lambda: Retries(HOUR, HOUR), lambda: Budget(0)])
def test_retries_and_budgets_of_nothing_are_refused(make):
    with pytest.raises((ContractError, TypeError)):
        make()


def test_a_failure_class_is_one_word_in_python_and_in_text():
    assert SHOP.owner_of(FailureClass.PERMISSION) == "team:access"
    assert SHOP.owner_of(FailureClass.UNKNOWN) == "team:shop"


def test_a_write_to_a_warehouse_that_is_busy_is_tried_again_and_one_that_its_audit_refuses_is_not(
    instance, run, clock, tmp_path
):
    warehouse, calls = DuckDBWarehouse(tmp_path / "w.duckdb"), []

    def open_warehouse():
        calls.append(1)
        if len(calls) == 1:
            raise WarehouseBusyError("another process holds the file")
        return warehouse

    metadata = {"dashboard_trust/audit": [{"range": {"column": "amount", "min": 0}}]}
    amounts = [10]

    @dg.asset(key=["shop", "orders"], io_manager_key="warehouse", metadata=metadata)
    def orders() -> pd.DataFrame:
        return pd.DataFrame({"amount": amounts})

    manager = TrustedIOManager(open_warehouse, source=Source("warehouse", owner="team:dwh"))
    defs = dg.Definitions([audited(orders)], resources={"warehouse": manager})

    assert run(defs, "shop/orders").success
    assert len(calls) == 2
    amounts[:] = [-1]
    result = run(defs, "shop/orders")
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.user_failure_data.metadata["failure_class"].value == "data"
    assert [event for event in result.all_events if event.is_step_up_for_retry] == []
    with warehouse.connect("test") as connection:
        assert connection.execute("SELECT amount FROM shop.orders").fetchall() == [(10,)]
