import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, Section
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.enforcement.receipts import receipt_key
from dashboard_trust.enforcement.words import release
from dashboard_trust.errors import ContractError, DashboardTrustError
from dashboard_trust.verdicts.verdict import Readiness

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
D1, D2, D3 = "2024-03-01", "2024-03-02", "2024-03-03"


class Export:
    """raw by day → an export that was there before us, and sends."""

    def __init__(self, run, verdict_of, **promises):
        self.sent, self.during, self.version, self._run, self._verdict_of = [], [], "v1", run, verdict_of

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def raw():
            return dg.MaterializeResult(data_version=dg.DataVersion(self.version))

        @dg.asset(deps=["raw"], partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def export(context: dg.AssetExecutionContext) -> None:
            while self.during:
                self.during.pop()()
            self.sent.append((context.partition_keys, receipt_key()))

        self.contract = DashboardContract("export", "team:export", **promises)
        self.defs = trust(dg.Definitions([raw, export]), [self.contract])

    def load(self, day=D1, version="v1", to=None):
        self.version = version
        assert self._run(self.defs, "raw", day=day, to=to).success

    def send(self, day=D1, to=None, **options):
        return self._run(self.defs, "export", day=day, to=to, **options)

    def findings(self, day=D1):
        return [(f.asset, str(f.outcome)) for f in self._verdict_of(self.defs, "export", day).findings]


@pytest.fixture
def make_export(run, verdict_of):
    return lambda **promises: Export(run, verdict_of, **promises)


@pytest.fixture
def counted(make_export):
    return make_export(at_most_once=True)


def test_the_same_version_is_not_sent_twice_and_the_second_run_says_so(counted, instance):
    counted.load()
    assert counted.send().success
    assert counted.send().success

    assert len(counted.sent) == 1
    event = instance.get_latest_materialization_event(dg.AssetKey("export")).asset_materialization
    assert "not again" in event.metadata["sent"].value
    assert event.partition == D1


def test_a_new_version_is_sent_and_an_older_one_that_comes_back_too(counted):
    for version in ("v1", "v2", "v2", "v1"):
        counted.load(version=version)
        assert counted.send().success

    assert len(counted.sent) == 3
    assert counted.sent[0][1] == counted.sent[2][1] != counted.sent[1][1]


def test_a_send_that_broke_may_have_arrived_and_is_not_repeated_until_a_person_says_so(counted, instance):
    counted.load()

    def lose_the_reply():
        counted.sent.append("arrived, and the reply was lost")
        raise ConnectionError("reply lost")

    counted.during.append(lose_the_reply)
    assert not counted.send().success
    assert counted.findings() == [("export", "unapproved")]
    assert not counted.send().success
    assert len(counted.sent) == 1

    release(instance, counted.contract, by="ann", reason="it did not arrive", partition=D2)
    assert not counted.send().success
    release(instance, counted.contract, by="ann", reason="it did not arrive", partition=D1)

    assert counted.findings() == []
    assert counted.send().success
    assert len(counted.sent) == 2


def test_a_send_that_broke_does_not_keep_the_next_version_or_another_day_from_being_sent(counted):
    counted.load(day=D1, to=D2)
    counted.during.append(lambda: 1 / 0)
    assert not counted.send().success
    assert counted.send(day=D2).success

    counted.load(version="v2")
    assert counted.send().success
    assert [days for days, _ in counted.sent] == [[D2], [D1]]


def test_a_step_retry_does_not_send_again(run, verdict_of):
    sent = []

    @dg.asset
    def raw() -> None: ...

    @dg.asset(deps=[raw], retry_policy=dg.RetryPolicy(max_retries=3))
    def export():
        sent.append(1)
        raise ConnectionError("reply lost")

    contract = DashboardContract("export", "team:export", at_most_once=True)
    defs = trust(dg.Definitions([raw, export]), [contract])

    assert not run(defs, "raw", "export").success
    assert sent == [1]


def test_of_two_runs_that_were_judged_at_once_only_one_sends(counted):
    counted.load()
    inner = []
    gate = gates(counted.defs)[dg.AssetKey("export")]
    judge = gate.judge

    def judge_while_another_run_sends(*asked):
        verdicts = judge(*asked)
        if not inner:
            inner.append("started")
            inner.append(counted.send())
        return verdicts

    gate.judge = judge_while_another_run_sends
    outer = counted.send()

    assert inner[1].success
    assert not outer.success or len(counted.sent) == 1
    assert len(counted.sent) == 1


def test_a_run_that_began_later_sends_nothing(counted):
    counted.load()

    def begin_again():
        assert not counted.send().success

    counted.during.append(begin_again)

    assert counted.send().success
    assert len(counted.sent) == 1


def test_of_a_range_sent_in_part_nothing_is_sent_again(counted):
    counted.load(day=D1, to=D3)
    assert counted.send(day=D1).success

    result = counted.send(day=D1, to=D3)

    assert not result.success
    assert len(counted.sent) == 1
    assert counted.send(day=D2, to=D3).success
    assert counted.sent[-1][0] == [D2, D3]


def test_a_dashboard_is_refreshed_for_those_days_of_a_range_that_were_not_sent(run, instance):
    sent = []

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def raw() -> None: ...

    contract = DashboardContract("dash", "team:dash", at_most_once=True)
    dash = trusted_dashboard(
        contract,
        lambda _, verdicts: sent.append([verdict.partition for verdict in verdicts]),
        deps=["raw"],
        partitions_def=DAYS,
    )
    defs = trust(dg.Definitions([raw, dash]))
    run(defs, "raw", day=D1, to=D3)

    assert run(defs, "dash", day=D2).success
    assert run(defs, "dash", day=D1, to=D3).success
    assert run(defs, "dash", day=D1, to=D3).success

    assert sent == [[D2], [D1, D3]]


def test_without_a_count_every_attempt_carries_the_same_key_for_the_receiver_to_tell(make_export):
    export = make_export()
    export.load()
    export.send()
    export.send()
    export.load(version="v2")
    export.send()

    keys = [key for _, key in export.sent]
    assert keys[0] == keys[1] != keys[2]


def test_in_shadow_nothing_is_kept_from_being_sent(make_export):
    export = make_export(at_most_once=True, enforce=False)
    export.load()
    assert export.send().success
    assert export.send().success

    assert len(export.sent) == 2


def test_a_key_is_of_one_day_and_of_one_dashboard(make_export):
    export = make_export()
    export.load(day=D1, to=D2)
    export.send(day=D1)
    export.send(day=D2)

    assert export.sent[0][1] != export.sent[1][1]


def test_outside_a_guarded_step_there_is_no_key():
    with pytest.raises(DashboardTrustError, match="while it runs"):
        receipt_key()


def test_a_step_that_makes_several_assets_cannot_be_counted():
    @dg.multi_asset(specs=[dg.AssetSpec("a", deps=["raw"]), dg.AssetSpec("b", deps=["raw"])])
    def both():
        yield from ()

    with pytest.raises(ContractError, match="cannot be at_most_once"):
        trust(dg.Definitions([both, dg.AssetSpec("raw")]), [DashboardContract("a", "team:a", at_most_once=True)])


def test_the_key_of_what_was_sent_stands_on_the_materialization(counted, instance):
    counted.load()
    counted.send()
    event = instance.get_latest_materialization_event(dg.AssetKey("export")).asset_materialization

    assert event.metadata["dashboard_trust/receipt"].value == counted.sent[0][1]


class Sections:
    """mart and deals → an export that leaves deals out while they are wrong, and says so."""

    def __init__(self, run, verdict_of):
        self.sent, self.during, self.bad, self.broken = [], [], False, False
        self.versions, self._run, self._verdict_of = {"mart": "m1", "deals": "d1"}, run, verdict_of

        @dg.asset
        def mart():
            return dg.MaterializeResult(data_version=dg.DataVersion(self.versions["mart"]))

        @dg.asset(check_specs=[dg.AssetCheckSpec("amounts", asset="deals")])
        def deals():
            if self.broken:
                raise ValueError("no such column: amount")
            result = dg.AssetCheckResult(passed=not self.bad, check_name="amounts")
            version = dg.DataVersion(self.versions["deals"])
            yield dg.MaterializeResult(data_version=version, check_results=[result])

        @dg.asset(deps=["mart", "deals"])
        def export():
            self.sent.append(self.versions.copy())
            while self.during:
                self.during.pop()()

        pipeline = Section("pipeline", "Pipeline", ("deals",), "label")
        self.contract = DashboardContract("export", "team:export", sections=(pipeline,), at_most_once=True)
        self.defs = trust(dg.Definitions([mart, deals, export]), [self.contract])
        self.run("mart", "deals")

    def run(self, *assets):
        return self._run(self.defs, *assets).success

    def lose_the_reply(self):
        self.during.append(lambda: 1 / 0)
        assert not self.run("export")
        assert self.verdict.readiness is Readiness.BLOCKED

    @property
    def verdict(self):
        return self._verdict_of(self.defs, "export")


@pytest.fixture
def sections(run, verdict_of):
    return Sections(run, verdict_of)


def fail_on_the_same_version(sections):
    sections.bad = True
    assert sections.run("deals")


def fail_on_a_newer_version(sections):
    sections.bad, sections.versions["deals"] = True, "d2"
    assert sections.run("deals")


def break_while_loading(sections):
    sections.broken = True
    assert not sections.run("deals")


each_bad_news = pytest.mark.parametrize(
    "go_bad", [fail_on_the_same_version, fail_on_a_newer_version, break_while_loading], ids=lambda news: news.__name__
)


@each_bad_news
def test_a_section_that_goes_bad_after_a_lost_reply_does_not_let_the_rest_be_sent_again(sections, go_bad):
    sections.lose_the_reply()
    go_bad(sections)

    assert [name for name, _ in sections.verdict.consumed] == ["mart"]
    assert ("export", "unapproved") in [(f.asset, str(f.outcome)) for f in sections.verdict.findings]
    assert not sections.run("export")
    assert len(sections.sent) == 1


@each_bad_news
def test_a_section_that_goes_bad_after_it_was_sent_is_no_reason_to_send_the_rest_again(sections, go_bad, instance):
    assert sections.run("export")
    go_bad(sections)

    assert sections.run("export")
    assert len(sections.sent) == 1
    event = instance.get_latest_materialization_event(dg.AssetKey("export")).asset_materialization
    assert "not again" in event.metadata["sent"].value


def test_while_it_is_being_sent_a_section_that_goes_bad_lets_no_other_run_send_the_rest(sections):
    def go_bad_and_send_again():
        fail_on_a_newer_version(sections)
        assert not sections.run("export")

    sections.during.append(go_bad_and_send_again)

    assert sections.run("export")
    assert len(sections.sent) == 1


def test_what_was_judged_without_a_section_is_not_sent_once_another_run_began_to_send_the_whole(sections, monkeypatch):
    fail_on_the_same_version(sections)
    gate, began = gates(sections.defs)[dg.AssetKey("export")], []
    judge = gate.judge

    def judge_while_another_run_begins(*asked):
        verdicts = judge(*asked)
        if not began:
            began.append("the whole")
            sections.bad = False
            assert sections.run("deals")
            sections.lose_the_reply()
        return verdicts

    monkeypatch.setattr(gate, "judge", judge_while_another_run_begins)

    assert not sections.run("export")
    assert len(sections.sent) == 1


def test_with_a_section_bad_since_the_rest_is_sent_again_once_a_person_says_so(sections, instance):
    sections.lose_the_reply()
    fail_on_a_newer_version(sections)
    release(instance, sections.contract, by="ann", reason="it did not arrive")

    assert sections.verdict.readiness is Readiness.PARTIAL
    assert sections.run("export")
    assert sections.run("export")
    assert len(sections.sent) == 2


def test_after_a_lost_reply_a_newer_version_of_the_rest_is_sent_though_a_section_is_bad(sections):
    sections.lose_the_reply()
    fail_on_the_same_version(sections)
    sections.versions["mart"] = "m2"
    assert sections.run("mart")

    assert sections.run("export")
    assert [versions["mart"] for versions in sections.sent] == ["m1", "m2"]


def test_a_section_that_was_left_out_is_sent_once_it_is_good(sections):
    fail_on_the_same_version(sections)
    assert sections.run("export")
    sections.bad = False
    assert sections.run("deals")

    assert sections.run("export")
    assert sections.run("export")
    assert len(sections.sent) == 2


def test_a_section_that_went_bad_and_is_good_again_of_the_same_version_is_not_sent_again(sections):
    assert sections.run("export")
    fail_on_the_same_version(sections)
    assert sections.run("export")
    sections.bad = False
    assert sections.run("deals")

    assert sections.run("export")
    assert len(sections.sent) == 1
