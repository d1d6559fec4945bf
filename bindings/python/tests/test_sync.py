"""Two devices: packages, a shared folder, a real relay, conflicts."""

import threading

import pytest

import selkie
from conftest import PASSPHRASE, pair
from selkie import ConflictResolver, EncryptedLocalStore, IncrementalSync, SyncStateManager


def test_packages_carry_what_changed_and_deletions(devices):
    first, second, _ = devices
    sync_manager, other = IncrementalSync(local_store=first), IncrementalSync(local_store=second)
    first.store("user_preferences", {"theme": "dark"})
    first.store("gone", {"n": 1})
    sync_package = sync_manager.prepare_sync_package()
    assert isinstance(sync_package, bytes) and b"dark" not in sync_package and sync_package.is_complete
    applied, conflicts = other.apply_remote_changes(sync_package)
    assert (applied, conflicts) == (2, [])
    assert other.apply_remote_changes(bytes(sync_package)).applied == 0, "it may come twice"
    first.delete("gone")
    later = sync_manager.prepare_sync_package(since=other.sync_point)
    assert (later.changes, later.segments) == (1, 1) and len(later) <= len(sync_package)
    other.apply_remote_changes(later)
    assert dict(second) == {"user_preferences": {"theme": "dark"}}
    with pytest.raises(selkie.InvalidInput):
        other.apply_remote_changes(b"no package")


def test_a_folder_syncs_two_devices(devices):
    first, second, place = devices
    first.store("n", {"title": "Milk"})
    assert [change.id for change in IncrementalSync(first).get_local_changes()] == ["n"]
    seen = []
    report = IncrementalSync(first).sync(place, seen.append)
    assert report.changes_sent == 1 and seen[-1]["changes"] == 1
    assert IncrementalSync(first).get_local_changes() == []
    assert IncrementalSync(second).sync(place).changes_received == 1
    assert second["n"] == {"title": "Milk"} and first.digest() == second.digest()
    assert IncrementalSync(second).sync_state == "up_to_date"


def test_what_a_progress_callback_raises_is_raised(devices):
    first, _, place = devices
    first.store("n", {})
    with pytest.raises(ZeroDivisionError):
        IncrementalSync(first).sync(place, lambda progress: 1 / 0)


def concurrently(devices, collection, ours, theirs):
    """Both devices write one record without knowing of each other, then sync."""
    first, second, place = devices
    first.store("n", ours, collection)
    second.store("n", theirs, collection)
    for store in (first, second, first):
        IncrementalSync(store).sync(place)


def test_a_person_answers_a_conflict_on_one_device_for_all(devices):
    first, second, place = devices
    first.set_policy("notes", "user_choice")
    IncrementalSync(first).sync(place)
    IncrementalSync(second).sync(place)
    assert second.policy("notes") == ("user_choice", "edit_wins")
    concurrently(devices, "notes", {"title": "Milk"}, {"title": "Bread"})
    (open_here,) = first.conflicts("notes")
    assert (open_here.conflict.path, open_here.conflict.kind) == ("title", "concurrent_edit")
    milk = next(side for side in open_here.sides if side.value == "Milk")
    first.resolve(open_here, milk)
    for store in (first, second):
        IncrementalSync(store).sync(place)
        assert store.retrieve("n", "notes") == {"title": "Milk"} and store.conflicts() == []
    with pytest.raises(selkie.ConflictChanged):
        first.resolve(open_here, "Bread")


def test_a_callback_answers_conflicts_of_its_policy(devices):
    first, _, _ = devices
    first.set_policy("counts", "custom:larger")
    first.register_resolver("larger", lambda found: max(found.sides, key=lambda side: side.value))
    concurrently(devices, "counts", {"seals": 4}, {"seals": 3})
    assert first.retrieve("n", "counts") == {"seals": 4} and first.conflicts() == []


def test_two_devices_sync_through_a_real_relay(tmp_path, relay):
    with EncryptedLocalStore(tmp_path / "phone.db", PASSPHRASE) as phone:
        with pair(phone, relay, tmp_path / "laptop.db", b"l" * 32) as laptop:
            phone.store("n", {"title": "Milk"})
            IncrementalSync(phone).sync(relay)
            IncrementalSync(laptop).sync(relay)
            assert laptop["n"] == {"title": "Milk"} and phone.digest() == laptop.digest()
            told, up_to_date = [], threading.Event()
            with SyncStateManager(laptop, relay) as manager:
                manager.add_listener(told.append)
                manager.add_listener(lambda event: event["event"] == "finished" and up_to_date.set())
                manager.start()
                assert manager.wait_for_initial_sync(60)
                laptop.patch("n", {"done": True})
                manager.sync_now()
                assert up_to_date.wait(60)
                assert manager.get_pending_conflicts() == []
                assert manager.metadata["relay"]["url"] == relay
            assert any(event["event"] == "state" for event in told)
            IncrementalSync(laptop).sync(relay)
            IncrementalSync(phone).sync(relay)
            assert phone["n"] == {"title": "Milk", "done": True}


def test_without_a_relay_the_store_works_on(store):
    store.store("n", {"title": "Milk"})
    with pytest.raises(selkie.NetworkError):
        IncrementalSync(store).sync("http://127.0.0.1:9")
    with pytest.raises(ConnectionError):
        IncrementalSync(store).sync("http://127.0.0.1:9")
    assert store["n"] == {"title": "Milk"} and IncrementalSync(store).sync_state != "up_to_date"


LOCAL, REMOTE = {"title": "Milk", "tags": ["a"]}, {"title": "Bread", "tags": ["b"]}


@pytest.mark.parametrize(
    ("strategy", "context", "expected"),
    [
        ("timestamp", {"local_ms": 2, "remote_ms": 1}, LOCAL),
        ("timestamp", {"local_ms": 1, "remote_ms": 2}, REMOTE),
        ("priority", {"local_ms": 1, "remote_ms": 2, "local_priority": 9}, LOCAL),
        ("merge", {"local_ms": 2, "remote_ms": 1}, {"title": "Milk", "tags": ["a", "b"]}),
        ("timestamp", {"local_ms": 1, "remote_ms": 2, "base": {"title": "Milk", "tags": ["b"]}},
         {"title": "Bread", "tags": ["a"]}),
        (lambda conflict: conflict.sides[0], {"local_ms": 1, "remote_ms": 2}, LOCAL),
        (lambda conflict: "mine", {}, {"title": "mine", "tags": "mine"}),
    ],
)
def test_the_resolver_alone(strategy, context, expected):
    resolved = ConflictResolver(strategy).resolve_conflict(LOCAL, REMOTE, context)
    assert resolved.document == expected and resolved.conflicts == []
    swapped = dict(context)
    for kind in ("ms", "priority"):
        swapped[f"local_{kind}"] = context.get(f"remote_{kind}", 0)
        swapped[f"remote_{kind}"] = context.get(f"local_{kind}", 0)
    assert ConflictResolver(strategy).resolve_conflict(REMOTE, LOCAL, swapped).document == expected


def test_the_resolver_by_type_of_data():
    resolver = ConflictResolver("timestamp")
    resolver.set_strategy("notes", "user_choice")
    resolver.set_strategy("odd", lambda conflict: NotImplemented)
    for data_type in ("notes", "odd"):
        resolved = resolver.resolve_conflict(LOCAL, REMOTE, {"data_type": data_type})
        assert [conflict.path for conflict in resolved.conflicts] == ["tags", "title"]
    with pytest.raises(selkie.InvalidInput):
        resolver.resolve_conflict(LOCAL, REMOTE, {"local_time": 1})
    with pytest.raises(selkie.InvalidInput):
        ConflictResolver("newest").resolve_conflict(LOCAL, REMOTE)
    with pytest.raises(ZeroDivisionError):
        ConflictResolver(lambda conflict: 1 / 0).resolve_conflict(LOCAL, REMOTE)
