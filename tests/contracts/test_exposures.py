from __future__ import annotations

import datetime as dt
import json

import pytest
from dagster_dbt import DagsterDbtTranslator

from dashboard_trust.contracts.exposures import UNOWNED, default_asset_key, read_exposures
from dashboard_trust.contracts.model import ReadyBy, RequiredAsset, Section
from dashboard_trust.errors import ContractError


def model(name: str, *above: str, **more) -> dict:
    node = {"name": name, "resource_type": "model", "config": {"materialized": "table"}, "meta": {}, **more}
    return {**node, "unique_id": f"model.shop.{name}", "depends_on": {"nodes": list(above)}}


ORDERS = "source.shop.raw.orders"
NODES = {
    node["unique_id"]: node
    for node in (
        model("stg_orders", ORDERS),
        model("tidy", "model.shop.stg_orders", config={"materialized": "ephemeral"}),
        model("sales", "model.shop.tidy", "seed.shop.countries"),
        {"name": "countries", "resource_type": "seed", "unique_id": "seed.shop.countries", "config": {}},
    )
}
SOURCES = {ORDERS: {"source_name": "raw", "name": "orders", "resource_type": "source", "unique_id": ORDERS}}


def exposure(name: str = "daily", **more) -> dict:
    node = {
        "name": name,
        "unique_id": f"exposure.shop.{name}",
        "type": "dashboard",
        "owner": {"name": "Finance", "email": "finance@example.com"},
        "depends_on": {"nodes": ["model.shop.sales"]},
    }
    return {**node, **more}


def manifest(*exposures: dict, **more) -> dict:
    return {"nodes": NODES, "sources": SOURCES, "exposures": {e["unique_id"]: e for e in exposures}, **more}


def read(**more):
    """Read one exposure; return its contract and what is odd about it, without its name."""
    exposures = read_exposures(manifest(exposure(**more)))
    assert all(problem.startswith("exposure exposure.shop.daily: ") for problem in exposures.problems)
    odd = [problem.removeprefix("exposure exposure.shop.daily: ") for problem in exposures.problems]
    return (exposures.contracts or (None,))[0], odd


def required(contract) -> set[str]:
    assert all(one.checks is None for one in contract.requires)
    return {one.asset for one in contract.requires}


def test_an_exposure_is_a_contract():
    contract, odd = read(label="Daily sales", url="https://bi.example.com/1")

    assert odd == []
    assert contract.key == "dashboards/daily"
    assert contract.title == "Daily sales"
    assert contract.url == "https://bi.example.com/1"
    assert contract.owner == "finance@example.com"
    assert contract.ready_by is None


def test_it_requires_every_table_upstream_and_what_is_no_table_is_followed():
    contract, odd = read()

    assert odd == []
    assert required(contract) == {"sales", "stg_orders", "countries", "raw/orders"}


def test_a_source_named_directly_is_required():
    contract, _ = read(depends_on={"nodes": [ORDERS]})

    assert contract.requires == (RequiredAsset("raw/orders"),)


def test_a_metric_is_followed_to_its_models():
    metrics = {
        "metric.shop.margin": {"depends_on": {"nodes": ["metric.shop.revenue"]}, "resource_type": "metric"},
        "metric.shop.revenue": {"depends_on": {"nodes": ["semantic_model.shop.s"]}, "resource_type": "metric"},
    }
    semantic = {"semantic_model.shop.s": {"depends_on": {"nodes": ["model.shop.stg_orders"]}, "name": "s"}}
    one = exposure(depends_on={"nodes": ["metric.shop.margin"]})

    exposures = read_exposures(manifest(one, metrics=metrics, semantic_models=semantic))

    assert exposures.problems == ()
    assert required(exposures.contracts[0]) == {"stg_orders", "raw/orders"}


def test_keys_are_those_the_caller_gives_its_tables():
    given = read_exposures(manifest(exposure()), asset_key=lambda node: f"marts/{node['name']}")
    translated = read_exposures(manifest(exposure()), asset_key=DagsterDbtTranslator().get_asset_key)

    assert required(given.contracts[0]) == {"marts/sales", "marts/stg_orders", "marts/countries", "marts/orders"}
    assert required(translated.contracts[0]) == {"sales", "stg_orders", "countries", "raw/orders"}


@pytest.mark.parametrize(
    "node",
    [
        NODES["model.shop.sales"],
        SOURCES[ORDERS],
        model("sales", version=2, alias="sales_v2"),
        model("sales", config={"schema": "marts"}),
        model("sales", config={"schema": "marts", "meta": {"dagster": {"asset_key": ["a", "b"]}}}),
        model("sales", meta={"dagster": {"asset_key": ["c", "d"]}}),
        {**SOURCES[ORDERS], "meta": {"dagster": {"asset_key": ["e"]}}},
    ],
)
def test_a_key_is_by_default_the_one_dagster_dbt_gives(node):
    assert default_asset_key(node) == DagsterDbtTranslator().get_asset_key(node).to_user_string()


def test_meta_says_the_rest_as_a_yaml_contract_would():
    ours = {
        "ready_by": {"time": "08:00", "timezone": "Europe/Berlin"},
        "freshness": {"raw/orders": {"fail_after_hours": 26}},
        "sections": [{"key": "main", "title": "Ümsatz 📈", "assets": ["sales"], "when_unmet": "label"}],
        "message": "Ask finance.",
        "window": 7,
    }
    contract, odd = read(meta={"dashboard_trust": ours, "cron": "0 6 * * *"})

    assert odd == []
    assert contract.ready_by == ReadyBy(dt.time(8), "Europe/Berlin")
    assert contract.freshness == {"raw/orders": dt.timedelta(hours=26)}
    assert contract.sections == (Section("main", "Ümsatz 📈", ("sales",), "label"),)
    assert (contract.message, contract.window) == ("Ask finance.", 7)


@pytest.mark.parametrize(
    ("meta", "key"),
    [
        ({"dagster": {"asset_key": ["bi", "sales"]}}, "bi/sales"),
        ({"dagster": {"asset_key": "sales"}}, "sales"),
        ({"dagster": {"asset_key": ["bi"]}, "dashboard_trust": {"key": "ours/sales"}}, "ours/sales"),
    ],
)
def test_the_key_is_the_one_somebody_gave_it(meta, key):
    assert read(meta=meta)[0].key == key
    assert read(config={"meta": meta})[0].key == key


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        ({"ready_by": {"time": "25:00"}}, "'25:00' is not a time of day"),
        ({"ready_by": {"tme": "08:00"}}, "unknown key 'tme': did you mean 'time'?"),
        ({"readyby": {"time": "08:00"}}, "unknown key 'readyby': did you mean 'ready_by'?"),
        ({"freshness": {"sales": {"fail_after_hours": -1}}}, "'-1' is not a number of hours"),
        ({"sections": []}, None),
        ({"requires": ["sales"]}, "unknown key 'requires'"),
        ({"message": ""}, "message is empty"),
        ({"message": [1]}, "message must be a plain value"),
    ],
)
def test_what_meta_cannot_mean_is_reported_and_left_out(ours, named):
    contract, odd = read(meta={"dashboard_trust": ours})

    assert required(contract) == {"sales", "stg_orders", "countries", "raw/orders"}
    assert (contract.ready_by, contract.freshness, contract.message) == (None, {}, "")
    assert len(odd) == (0 if named is None else 1)
    assert all(named in problem and "line" not in problem for problem in odd)


@pytest.mark.parametrize(
    ("owner", "expected", "odd"),
    [
        ({"email": "a@example.com"}, "a@example.com", None),
        ({"name": "Finance", "email": None}, "team:Finance", None),
        ({"email": ["a@example.com"]}, "a@example.com", None),
        ({"email": ["a@example.com", "b@example.com"]}, "a@example.com", "not b@example.com"),
        ({"name": "Finance", "email": "finance"}, "team:Finance", "finance is not an e-mail"),
        ({"email": "finance"}, UNOWNED, "finance is not an e-mail"),
        ({}, UNOWNED, "has no owner"),
        (None, UNOWNED, "has no owner"),
    ],
)
def test_whoever_owns_it_a_dashboard_is_guarded(owner, expected, odd):
    contract, problems = read(owner=owner)

    assert contract.owner == expected
    assert odd in problems[0] if odd else problems == []


def test_an_owner_that_meta_gives_goes_first():
    assert read(owner={}, meta={"dashboard_trust": {"owner": "team:bi"}})[0].owner == "team:bi"
    contract, odd = read(meta={"dashboard_trust": {"owner": "nobody"}})
    assert contract.owner == UNOWNED
    assert "'nobody' is neither an e-mail address nor team:name" in odd[0]


@pytest.mark.parametrize(
    ("meta", "ready_by", "odd"),
    [
        ({"cron": "30 6 * * *"}, ReadyBy(dt.time(6, 30)), None),
        ({"cron": ["30 6 * * *"]}, ReadyBy(dt.time(6, 30)), None),
        ({"schedule": "@daily"}, ReadyBy(dt.time(0)), None),
        (
            {"dagster": {"cron_schedule": "0 7 * * *", "timezone": "Asia/Tokyo"}},
            ReadyBy(dt.time(7), "Asia/Tokyo"),
            None,
        ),
        ({"dashboard_trust": {"cron": "0 7 * * *", "cron_timezone": "UTC"}}, ReadyBy(dt.time(7)), None),
        ({"cron": ["0 7 * * *", "0 9 * * 1"]}, ReadyBy(dt.time(7)), "'0 9 * * 1'"),
        ({"cron": ["0 7 * * *", "0 9 * * *"]}, None, "'0 7 * * *', '0 9 * * *'"),
        ({"cron": "0 7 * * 1-5"}, None, "'0 7 * * 1-5'"),
        ({"cron": "0 6,18 * * *"}, None, "'0 6,18 * * *'"),
        ({"cron": "99 7 * * *"}, None, "'07:99' is not a time of day"),
        ({"cron": "every morning"}, None, "'every morning'"),
        ({"schedule": {"daily": True}}, None, "daily"),
        ({"cron": "0 7 * * *", "timezone": "Mars/Base"}, None, "'Mars/Base' is not a known time zone"),
    ],
)
def test_a_daily_schedule_is_a_promise_and_any_other_is_reported(meta, ready_by, odd):
    contract, problems = read(meta=meta)

    assert contract.ready_by == ready_by
    assert (len(problems) == 1 and odd in problems[0]) if odd else problems == []


@pytest.mark.parametrize("depends_on", [{"nodes": []}, {}, None, {"nodes": None}])
def test_one_that_depends_on_nothing_has_no_contract_and_is_reported(depends_on):
    contract, odd = read(depends_on=depends_on)

    assert contract is None
    assert "depends on no table" in odd[0]


@pytest.mark.parametrize(
    ("id_", "asset", "word"),
    [
        ("model.shop.old", "old/sales", "which is disabled"),
        ("model.shop.gone", "gone", "which is not in the manifest"),
        ("source.shop.raw.gone", "gone", "which is not in the manifest"),
    ],
)
def test_what_dbt_does_not_build_stays_required(id_, asset, word):
    disabled = {"model.shop.old": [model("sales", config={"schema": "old"})]}
    one = exposure(depends_on={"nodes": ["model.shop.sales", id_]})

    exposures = read_exposures(manifest(one, disabled=disabled))

    assert {asset, "sales"} < required(exposures.contracts[0])
    assert [word in problem and id_ in problem for problem in exposures.problems] == [True]


@pytest.mark.parametrize("kind", ["application", "ml", "notebook", "analysis", None])
def test_any_type_has_a_contract(kind):
    contract, odd = read(type=kind)

    assert contract is not None
    assert f"is of type {kind!r}, not dashboard" in odd[0]


@pytest.mark.parametrize("id_", [None, ""])
def test_one_without_an_id_is_reported_and_has_a_contract(id_):
    nameless = {**exposure(), "unique_id": id_}

    for listed in ({"exposure.shop.daily": nameless}, [nameless]):
        exposures = read_exposures({**manifest(), "exposures": listed})
        assert [contract.key for contract in exposures.contracts] == ["dashboards/daily"]
        assert ["no unique_id" in problem for problem in exposures.problems] == [True]


def test_one_without_a_name_takes_its_id():
    exposures = read_exposures(manifest({**exposure(), "name": None}))

    assert [contract.key for contract in exposures.contracts] == ["dashboards/daily"]


def test_two_of_one_name_are_both_reported_on_and_the_first_stands():
    second = exposure(unique_id="exposure.crm.daily", depends_on={"nodes": [ORDERS]})

    exposures = read_exposures(manifest(exposure(), second))

    assert [contract.key for contract in exposures.contracts] == ["dashboards/daily"]
    assert "sales" in required(exposures.contracts[0])
    assert ["exposure exposure.crm.daily: is a second exposure" in p for p in exposures.problems] == [True]


def test_two_of_one_id_are_reported_and_kept_where_their_names_differ():
    twins = {"a": exposure("daily"), "b": {**exposure("weekly"), "unique_id": "exposure.shop.daily"}}

    exposures = read_exposures({**manifest(), "exposures": twins})

    assert [contract.key for contract in exposures.contracts] == ["dashboards/daily", "dashboards/weekly"]
    assert ["has the unique_id of another" in problem for problem in exposures.problems] == [True]


def test_one_that_is_disabled_is_reported():
    off = {**exposure("off"), "resource_type": "exposure"}

    exposures = read_exposures(manifest(exposure(), disabled={"exposure.shop.off": [off]}))

    assert len(exposures.contracts) == 1
    assert exposures.problems == ("exposure exposure.shop.off: is disabled in dbt, so it has no contract",)


def test_a_key_that_cannot_be_one_has_no_contract():
    contract, odd = read(meta={"dashboard_trust": {"key": "a//b"}})

    assert contract is None
    assert "'a//b' is not an asset key" in odd[0]
    assert "set meta.dashboard_trust.key" in odd[1]


def test_none_is_lost_among_odd_ones():
    many = {"a": "text", "b": exposure("b", depends_on={}), "c": exposure("c", unique_id=""), "d": exposure("d")}

    exposures = read_exposures({**manifest(), "exposures": many})

    assert {contract.key for contract in exposures.contracts} == {"dashboards/c", "dashboards/d"}
    assert [problem.split(":")[0] for problem in exposures.problems] == [
        "exposure a",
        "exposure exposure.shop.b",
        "exposure c",
    ]


def test_a_manifest_without_exposures_says_so():
    exposures = read_exposures(manifest())

    assert exposures.contracts == ()
    assert exposures.problems == ("the manifest has no exposure, so there is no contract",)


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"exposures": 3}', '{"exposures": null}', "\ud800"])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    file = tmp_path / "manifest.json"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(ContractError, match=r"manifest\.json.*dbt parse"):
        read_exposures(file)


def test_a_manifest_is_read_from_its_file(tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest(exposure())))

    assert read_exposures(file) == read_exposures(str(file)) == read_exposures(manifest(exposure()))
