"""What is loaded of a file, what is kept aside, and what is refused with the file's name."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import lzma
from decimal import Decimal

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard_trust.arrivals.completeness import Manifest, Marker, Settled
from dashboard_trust.arrivals.declaration import Csv, FileColumn, FileSource, JsonLines, Parquet
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.arrivals.stores import Store
from dashboard_trust.contracts.model import ReadyBy
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.calls import FAILURE_CLASS_TAG
from dashboard_trust.enforcement.gated_assets import trust
from dashboard_trust.errors import InvalidInputError

D1, D2 = "2026-01-01", "2026-01-02"
GZ = PathPattern("{day:%Y-%m-%d}.csv.gz")
JSON = PathPattern("{day:%Y-%m-%d}.jsonl")
PARQUET = PathPattern("{day:%Y-%m-%d}.parquet")


def as_parquet(**columns) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def checks(result):
    return {found.check_name: (found.passed, found.severity.value, found.description) for found in result}


def test_rows_that_do_not_fit_are_counted_and_kept_aside(make_landing, local_bucket):
    landing = make_landing(local_bucket, max_refused=4)
    landing.put(D1, "1,1.50", "2,1.505", "3", ",4.50", "x,5.50", "6,")
    (request,) = landing.tick()

    result = landing.launch(request)

    assert result.success
    assert landing.rows("id, amount") == [(1, Decimal("1.50")), (6, None)]
    passed, severity, said = checks(result.get_asset_check_evaluations())["rows_fit"]
    assert (passed, severity) == (False, "WARN")
    assert "4 of 6 rows do not fit" in said
    with landing.warehouse.connect("test") as connection:
        ((kept_in, reason),) = connection.execute("SELECT kept_in, reason FROM trust.rejections").fetchall()
        kept = connection.execute(f"SELECT place, reason, content FROM {kept_in} ORDER BY ALL").fetchall()
    assert kept_in in said
    assert "orders/2026-01-01.csv" in reason
    assert [(place, why) for place, why, _ in kept] == [
        ("line 4", "Expected Number of Columns: 2 Found: 1"),
        ("row 2", "amount is no decimal(18, 2)"),
        ("row 3", "id is missing"),
        ("row 4", "id is no integer"),
    ]
    assert kept[1][2] == '{"id":"2","amount":"1.505"}'


def test_a_file_with_too_many_of_them_is_refused_and_the_old_partition_stays(make_landing, local_bucket):
    landing = make_landing(local_bucket, max_refused=1)
    landing.put(D1, "1,1.50")
    landing.work()
    landing.put(D1, "1,2.50", "2,x", "3,y")

    ((_, said),) = landing.work()

    assert "orders/2026-01-01.csv: 2 of 3 rows do not fit, and at most 1 may be kept aside" in said
    assert "All of these rows are in trust_rejected.rows_" in said
    assert landing.rows("id, amount") == [(1, Decimal("1.50"))]


@pytest.mark.parametrize(
    ("options", "path", "content", "named"),
    [
        ({}, "orders/2026-01-01.csv", b"", "is empty: it has no bytes"),
        ({}, "orders/2026-01-01.csv", b"id,amount\n", "is empty: it has no rows"),
        ({}, "orders/2026-01-01.csv", b"id,total\n1,1.50\n", "has no column amount; it has id, total"),
        ({}, "orders/2026-01-01.csv", b"id,amount,id\n1,1.50,2\n", "has the column 'id' twice"),
        ({}, "orders/2026-01-01.csv", b'id,amount\n1,1.50\n2,"1.50\n3,1.50\n', "opened in line 3 is not closed"),
        ({}, "orders/2026-01-01.csv", b"id,amount\n1,1.50\n2", "is cut off: it ends within line 3"),
        (
            {"pattern": GZ},
            "2026-01-01.csv.gz",
            gzip.compress(b"id,amount\n1,1.50\n" * 99, mtime=0)[:-9],
            "cannot be unpacked",
        ),
        ({"pattern": GZ}, "2026-01-01.csv.gz", b"id,amount\n1,1.50\n", "cannot be unpacked"),
        (
            {"pattern": JSON, "format": JsonLines()},
            "2026-01-01.jsonl",
            b'{"id": 1}\n{"id": 2, "am',
            "ends within line 2",
        ),
        ({"pattern": PARQUET, "format": Parquet()}, "2026-01-01.parquet", as_parquet(id=[1])[:-20], "cannot be read"),
        ({"pattern": PARQUET, "format": Parquet()}, "2026-01-01.parquet", as_parquet(id=[1]), "has no column amount"),
        ({"format": Csv(encoding="utf-16")}, "orders/2026-01-01.csv", b"id,amount\n1,1.50\n1", "is not utf-16"),
    ],
)
def test_a_file_that_may_not_be_believed_is_an_error_that_names_it(
    make_landing, local_bucket, options, path, content, named
):
    landing = make_landing(local_bucket, **options)
    local_bucket.put(path, content)

    ((day, said),) = landing.work()

    assert day == D1
    assert path in str(said)
    assert named in str(said)


@pytest.mark.parametrize(
    ("options", "path", "content"),
    [
        ({"format": Csv(delimiter=";", encoding="cp1252")}, "orders/2026-01-01.csv", "id;amount;name\n1;1.50;Zoë\n".encode("cp1252")),  # noqa: E501
        ({}, "orders/2026-01-01.csv", b'\xef\xbb\xbfname,id,amount,more\r\n"Zo\xc3\xab",1, 1.5 ,x\r\n'),
        ({"format": Csv(header=False)}, "orders/2026-01-01.csv", "1,1.50,Zoë\n".encode()),
        ({"pattern": GZ}, "2026-01-01.csv.gz", gzip.compress("id,amount,name\n1,1.50,Zoë\n".encode(), mtime=0)),
        ({"pattern": PathPattern("{day:%Y-%m-%d}.xz")}, "2026-01-01.xz", lzma.compress("id,amount,name\n1,1.50,Zoë\n".encode())),  # noqa: E501
        ({"pattern": JSON, "format": JsonLines()}, "2026-01-01.jsonl", '{"id": 1, "amount": 1.5, "name": "Zoë", "x": [1]}\n'.encode()),  # noqa: E501
        ({"pattern": JSON, "format": JsonLines()}, "2026-01-01.jsonl", b'{"id": "1", "amount": "1.50", "name": "Zo\\u00eb"}'),  # noqa: E501
        ({"pattern": PARQUET, "format": Parquet()}, "2026-01-01.parquet", as_parquet(id=[1], amount=[1.5], name=["Zoë"])),  # noqa: E501
        ({"pattern": PARQUET, "format": Parquet()}, "2026-01-01.parquet", as_parquet(id=["1"], amount=["1.5"], name=["Zoë"])),  # noqa: E501
    ],
)  # fmt: skip
def test_each_format_brings_the_same_rows(make_landing, local_bucket, options, path, content):
    columns = (FileColumn("id", "integer"), FileColumn("amount", "decimal(18, 2)"), FileColumn("name"))
    landing = make_landing(local_bucket, columns=columns, **options)
    local_bucket.put(path, content)

    assert landing.work() == [(D1, True)]

    assert landing.rows("day, id, amount, name") == [(dt.date(2026, 1, 1), 1, Decimal("1.50"), "Zoë")]


def test_every_type_keeps_what_was_written(make_landing, local_bucket):
    columns = [
        FileColumn("n", "number"), FileColumn("d", "date"), FileColumn("t", "timestamp"), FileColumn("b", "boolean"),
        FileColumn("s", missing=("n/a",)), FileColumn("i", "integer", source="record.data.i"),
    ]  # fmt: skip
    landing = make_landing(local_bucket, columns=columns, pattern=JSON, format=JsonLines(), max_refused=3)
    good = '{"n": 1e3, "d": "2024-02-29", "t": "2026-01-01T10:00:00+02:00", "b": true, "s": "n/a", "record": {"data": {"i": 7}}}'  # noqa: E501
    bad = ['{"d": "2023-02-29"}', '{"t": "10:00"}', '{"record": {"data": {"i": 1.5}}}']
    local_bucket.put("2026-01-01.jsonl", "\n".join([good, *bad]))

    assert landing.work() == [(D1, True)]

    ((number, day, moment, flag, text, whole),) = landing.rows("n, d, t, b, s, i")
    assert (number, day, flag, text, whole) == (1000.0, dt.date(2024, 2, 29), True, None, 7)
    assert moment.astimezone(dt.UTC) == dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC)


def test_lines_that_are_no_objects_are_kept_aside_among_those_that_are(make_landing, local_bucket):
    landing = make_landing(local_bucket, pattern=JSON, format=JsonLines(), max_refused=4)
    lines = ['{"id": 1}', "not json", "[1]", '{"id": 2, "id": 3}', '{"id": NaN}', '{"id": 4}']
    local_bucket.put("2026-01-01.jsonl", "\n".join(lines))

    assert landing.work() == [(D1, True)]

    assert landing.rows("id") == [(1,), (4,)]


@pytest.mark.parametrize(("frame", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)])
def test_rows_are_handed_over_as_the_frame_that_was_declared(make_landing, local_bucket, frame, kind):
    seen = []

    def transform(rows):
        seen.append(type(rows))
        return rows

    landing = make_landing(local_bucket, frame=frame, transform=transform)
    landing.put(D1, "1,1.50", "2,")

    assert landing.work() == [(D1, True)]
    assert seen == [kind]
    assert landing.rows("id, amount") == [(1, Decimal("1.50")), (2, None)]


class Swapped(Store):
    """A store in which another file takes the place of one as soon as that is opened."""

    def open(self, path):
        opened = super().open(path)
        file = self.local_path(path)
        file.with_suffix(".tmp").write_text("id,amount\n7,7.00\n" if "orders" in path else "another form\n")
        file.with_suffix(".tmp").replace(file)
        return opened


@pytest.mark.parametrize("folder", ["orders", "odd"], ids=["as good", "of another form"])
@pytest.mark.parametrize("packed", [False, True], ids=["read where it is", "copied"])
def test_a_file_that_is_replaced_while_it_is_read_is_not_loaded(make_landing, local_bucket, folder, packed):
    local_bucket.store = Swapped(local_bucket.store.url)
    name = f"{folder}/{{day:%Y-%m-%d}}.csv{'.gz' if packed else ''}"
    landing = make_landing(local_bucket, pattern=PathPattern(name))
    content = b"id,amount\n1,1.50\n"
    local_bucket.put(f"{folder}/{D1}.csv{'.gz' if packed else ''}", gzip.compress(content) if packed else content)

    ((_, told),) = landing.work()

    assert "changed while it was read; load it again" in str(told)


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ({"sha256": "0" * 64}, "is not what its manifest lists: sha256"),
        ({"md5": "0" * 32}, "is not what its manifest lists: md5"),
        ({"rows": 2}, "has 1 rows, and its manifest lists 2"),
        ({"sha256": hashlib.sha256(b"id,amount\n1,1.50\n").hexdigest(), "size": 17, "rows": 1}, "True"),
    ],
)
def test_what_a_manifest_says_of_a_file_is_compared_with_what_was_read(make_landing, local_bucket, listed, said):
    import json

    landing = make_landing(local_bucket, complete=Manifest(PathPattern("orders/{day:%Y-%m-%d}.json")))
    landing.put(D1, "1,1.50")
    local_bucket.put("orders/2026-01-01.json", json.dumps([{"name": "2026-01-01.csv", **listed}]))

    ((_, told),) = landing.work()

    assert said in str(told)


@pytest.mark.parametrize(
    ("complete", "said"),
    [
        (Settled(3600), "was written less than 3600 s ago"),
        (Marker(PathPattern("orders/{day:%Y-%m-%d}.done")), "waits for its marker orders/2026-01-01.done"),
        (Manifest(PathPattern("orders/{day:%Y-%m-%d}.json")), "waits for its manifest orders/2026-01-01.json"),
        (Manifest(PathPattern("orders/manifest.json")), "orders/b.csv is in the manifest and has not arrived"),
    ],
)
def test_a_run_that_a_person_launches_loads_nothing_that_is_not_all_there(make_landing, local_bucket, complete, said):
    landing = make_landing(local_bucket, complete=complete)
    landing.put(D1, "1,1.50")
    local_bucket.put("orders/manifest.json", '[{"name": "2026-01-01.csv"}, {"name": "b.csv"}]')

    told = landing.launch(dg.RunRequest(partition_key=D1, asset_selection=[dg.AssetKey(["raw", "orders"])]))

    assert not told.success
    assert said in landing.told(told)


def test_a_manifest_that_is_mended_is_tried_with_the_same_files(make_landing, local_bucket):
    landing = make_landing(local_bucket, complete=Manifest(PathPattern("orders/{day:%Y-%m-%d}.json")))
    landing.put(D1, "1,1.50")
    local_bucket.put("orders/2026-01-01.json", '[{"name": "2026-01-01.csv", "rows": 5}]')
    landing.work()
    assert landing.work() == []

    local_bucket.put("orders/2026-01-01.json", '[{"name": "2026-01-01.csv", "rows": 1}]')

    assert landing.work() == [(D1, True)]


def test_a_manifest_that_is_named_like_the_files_is_none_of_them(make_landing, local_bucket):
    landing = make_landing(
        local_bucket,
        pattern=PathPattern("{day:%Y-%m-%d}/{piece}.json"),
        format=JsonLines(),
        complete=Manifest(PathPattern("{day:%Y-%m-%d}/manifest.json")),
    )
    local_bucket.put("2026-01-01/a.json", '{"id": 1}\n')
    local_bucket.put("2026-01-01/manifest.json", '[{"name": "a.json"}]')

    assert landing.work() == [(D1, True)]
    assert landing.rows("id") == [(1,)]


@pytest.mark.parametrize("pattern", ["orders/{day:%Y-%m-%d}.csv", "orders/*.done"])
def test_a_marker_without_a_name_of_its_own_is_refused(make_landing, local_bucket, pattern):
    with pytest.raises(InvalidInputError, match="needs a name of its own"):
        make_landing(local_bucket, complete=Marker(PathPattern(pattern)))


def test_a_file_without_rows_takes_the_place_of_one_with_rows_where_that_is_declared(make_landing, local_bucket):
    landing = make_landing(local_bucket, accept_empty=True)
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]
    landing.put(D1)

    assert landing.work() == [(D1, True)]
    assert landing.rows() == []


def test_files_without_a_partition_of_time_are_not_expected_by_a_time(make_landing, local_bucket):
    with pytest.raises(InvalidInputError, match="tells no partition of time"):
        make_landing(local_bucket, pattern=PathPattern("customers.csv"), partitions=None, expected=ReadyBy(dt.time(6)))


@pytest.mark.parametrize("options", [{}, {"partitions": dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-02-01")}])  # fmt: skip  # noqa: E501
def test_what_has_not_arrived_is_said_with_its_path(make_landing, local_bucket, options):
    landing = make_landing(local_bucket, **options)

    told = landing.launch(dg.RunRequest(partition_key="2026-01-04", asset_selection=[dg.AssetKey(["raw", "orders"])]))

    assert "orders/2026-01-" in landing.told(told)
    assert "has not arrived in" in landing.told(told)


def test_a_date_that_is_coarser_than_the_partitions_loads_nothing_into_others(make_landing, local_bucket):
    weekly = dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-02-01")
    landing = make_landing(local_bucket, pattern=PathPattern("{day:%Y-%m}.csv"), partitions=weekly)
    local_bucket.put("2026-01.csv", "id,amount\n1,1.50\n")

    told = landing.launch(dg.RunRequest(partition_key="2026-01-11", asset_selection=[dg.AssetKey(["raw", "orders"])]))

    assert "has not arrived in" in landing.told(told)


def test_a_refused_file_is_a_failure_of_class_data(make_landing, local_bucket):
    landing = make_landing(local_bucket)
    landing.put(D1, "x,1.50")
    source = Source("crm", assets=("raw/orders",), owner="team:crm")
    landing.defs = trust(landing.defs, sources=[source])
    (request,) = landing.tick()

    assert not landing.launch(request).success

    (run,) = landing.instance.get_runs()
    assert run.tags[FAILURE_CLASS_TAG] == "data"
    assert landing.tick() == []


def test_an_audit_looks_at_the_rows_before_anybody_can(make_landing, local_bucket):
    landing = make_landing(local_bucket, metadata={"dashboard_trust/audit": [{"unique": "id"}]})
    landing.put(D1, "1,1.50", "1,2.50")

    ((_, said),) = landing.work()

    assert "unique" in said


def test_several_days_in_one_run_each_say_what_they_were_loaded_from(make_landing, local_bucket, instance):
    landing = make_landing(local_bucket, together=5)
    landing.put(D1, "1,1.50")
    landing.put(D2, "2,2.50")

    assert landing.work() == [(None, True)]

    assert landing.work() == []
    landing.cursor = None
    assert landing.work() == []


def test_a_pattern_that_is_a_text_is_refused_by_what_to_write():
    with pytest.raises(InvalidInputError, match=r"write PathPattern\('orders/\*\.csv'\)"):
        FileSource(store="landing", pattern="orders/*.csv", columns=[FileColumn("id")])
