"""Plans on S3: published whole, replaced by a conditional put, and followed by servers, as those in a folder are."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from feature_store.errors import StorageError
from feature_store.plans import plan_revisions
from feature_store.plans.plan_revisions import POINTER, branch_plans, current_plans, publish_plans, read_plans
from feature_store.s3.options import S3Options, S3Settings
from feature_store.s3.paths import S3Path, delete_places
from serving.read.plan_folder import PlanFolder
from tests.fixtures.servers.aws import Aws
from tests.fixtures.servers.s3_proxy import S3Proxy
from tests.plans.test_plan_revisions import served, texts


@pytest.fixture
def folder(s3_server: Aws) -> S3Path:
    """A place for plans on S3."""
    return S3Path(s3_server.new_bucket(), "models/plans", s3_server.storage_options)


def by_proxy(folder: S3Path, proxy: S3Proxy) -> S3Path:
    return replace(folder, options=proxy.aws.storage_options)


def files(folder: S3Path) -> list[str]:
    return sorted(path.name for path in current_plans(folder).folder.iterdir())


def test_a_higher_revision_replaces_a_lower_one_and_never_the_other_way_round(folder: S3Path) -> None:
    assert publish_plans(folder, 5, texts(1)).revision == 5
    assert publish_plans(folder, 4, texts(1, 2)).revision == 5
    assert publish_plans(folder, 6, texts(1, 2)).revision == 6
    assert files(folder) == ["churn.v1.json", "churn.v2.json"]
    assert set(read_plans(folder)) == {"churn/v1", "churn/v2"}
    assert read_plans(branch_plans(folder, "late6")) == {}


def test_readers_follow_and_a_look_costs_one_request_while_nothing_changes(folder: S3Path, s3_proxy: S3Proxy) -> None:
    reader = PlanFolder(by_proxy(folder, s3_proxy))
    assert not reader.refresh()
    publish_plans(folder, 1, texts(1, 2))
    assert reader.refresh()
    kept, changed = reader.find("churn/v1"), reader.find("churn/v2")
    publish_plans(folder, 2, {**texts(1), **texts(2, owner="stores")})
    assert reader.refresh()
    assert reader.find("churn/v2") is not changed
    assert reader.find("churn/v1").plan == kept.plan
    s3_proxy.counted()
    assert [reader.refresh() for _ in range(3)] == [False] * 3
    assert s3_proxy.counted() == [f"GET {folder.key}/{POINTER}"] * 3


@pytest.mark.parametrize("content", [b'{"revision": 1}', b"nonsense", None])
def test_a_pointer_that_is_damaged_gone_or_goes_back_changes_nothing(folder: S3Path, content: bytes | None) -> None:
    publish_plans(folder, 1, texts(1))
    publish_plans(folder, 2, texts(1, 2))
    reader = PlanFolder(folder)
    reader.refresh()
    if content is None:
        (folder / POINTER).unlink()
    else:
        (folder / POINTER).write_bytes(content)
    reader.refresh()
    assert served(reader) == {"churn/v1", "churn/v2"}
    assert (POINTER in reader.problems) == (content == b"nonsense")
    publish_plans(folder, 3, texts(2))
    assert reader.refresh()
    assert served(reader) == {"churn/v2"}


def test_a_damaged_file_and_a_stray_concern_themselves_alone_until_they_are_published_again(folder: S3Path) -> None:
    current = publish_plans(folder, 1, texts(1, 2)).folder
    assert isinstance(current, S3Path)
    (current / "churn.v2.json").write_bytes(b"{")
    (current / "copy.json").write_bytes((current / "churn.v1.json").read_bytes())
    reader = PlanFolder(folder)
    reader.refresh()
    assert served(reader) == {"churn/v1"}
    assert set(reader.problems) == {"churn.v2.json", "copy.json"}
    publish_plans(folder, 1, texts(1, 2))
    reader.refresh()
    assert served(reader) == {"churn/v1", "churn/v2"}
    assert reader.problems == {}


def test_of_publishers_at_once_the_highest_revision_is_current_and_whole(folder: S3Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(
            pool.map(lambda n: publish_plans(folder, n, {f"{each}.json": str(n) for each in range(3)}), range(12))
        )
    current = current_plans(folder)
    assert current.revision == max(each.revision or 0 for each in found) == 11
    assert {path.read_bytes() for path in current.folder.iterdir()} == {b"11"}


def test_old_revisions_go(folder: S3Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_revisions, "_KEPT", 2)
    for revision in range(1, 5):
        publish_plans(folder, revision, texts(1))
    assert sorted(path.name for path in (folder / "revisions").iterdir()) == ["3", "4"]


def test_a_publisher_whose_answer_was_lost_finds_that_it_published(folder: S3Path, s3_proxy: S3Proxy) -> None:
    place, spoiled = by_proxy(folder, s3_proxy), 0
    for revision in range(1, 6):
        s3_proxy.spoil(seed=revision, share=0.5, most=3, kinds=("lose", "duplicate", "reset", "503"))
        assert publish_plans(place, revision, texts(1)).revision == revision
        spoiled += s3_proxy.done().total()
        s3_proxy.mend()
        assert json.loads((folder / POINTER).read_bytes()) == {"revision": revision}
    assert spoiled > 5


def test_a_server_goes_on_with_its_plans_while_s3_is_away(folder: S3Path, s3_proxy: S3Proxy) -> None:
    publish_plans(folder, 1, texts(1))
    reader = PlanFolder(by_proxy(folder, s3_proxy))
    reader.refresh()
    s3_proxy.spoil(seed=1, share=1, most=10**6, kinds=("503",))
    publish_plans(folder, 2, texts(1, 2))
    reader.refresh()
    assert served(reader) == {"churn/v1"}
    assert "SlowDown" in reader.problems[POINTER]
    with pytest.raises(StorageError, match="SlowDown"):
        publish_plans(by_proxy(folder, s3_proxy), 3, texts(1))
    s3_proxy.mend()
    assert reader.refresh()
    assert served(reader) == {"churn/v1", "churn/v2"}


def test_the_plans_of_a_branch_are_deleted_and_others_stay(folder: S3Path) -> None:
    for place in (folder, branch_plans(folder, "late6"), branch_plans(folder, "late")):
        publish_plans(place, 1, texts(1))
    delete_places([branch_plans(folder, "late")])
    assert [bool(read_plans(place)) for place in (folder, branch_plans(folder, "late6"))] == [True, True]
    assert read_plans(branch_plans(folder, "late")) == {}


def test_a_place_travels_to_other_processes_without_keys(s3_server: Aws) -> None:
    place = S3Path("bucket", "plans", S3Options(S3Settings(region="us-east-1"), s3_server.storage_options))
    copy = pickle.loads(pickle.dumps(place))
    assert copy == place
    assert b"testsecret" not in pickle.dumps(place)
    assert copy.options["AWS_ENDPOINT_URL"] == s3_server.endpoint
    assert "testsecret" not in repr(place)
