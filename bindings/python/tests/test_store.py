"""The store: records in and out, keys, threads, forks."""

import multiprocessing
import os
import pickle
import threading

import pytest

import selkie
from selkie import EncryptedLocalStore

PREFERENCES = {"theme": "dark", "model_preferences": {"quality": "high"}, "sizes": [1, 2.5, True, None]}


def test_the_first_pattern_runs_as_written(tmp_path):
    store = EncryptedLocalStore(db_path=str(tmp_path / "app_data.db"), user_key="seals sleep under water")
    assert len(store.recovery_words.split()) == 24
    store.store("user_preferences", PREFERENCES)
    assert store.retrieve("user_preferences") == PREFERENCES
    store.close()
    again = EncryptedLocalStore(db_path=tmp_path / "app_data.db", user_key="seals sleep under water")
    assert again.recovery_words is None
    assert again["user_preferences"] == PREFERENCES
    assert b"dark" not in (tmp_path / "app_data.db").read_bytes()


def test_a_store_is_a_mapping(store):
    store["a"] = {"n": 1}
    store.collection("notes")["b"] = {"n": 2}
    assert "a" in store and "b" not in store and 7 not in store
    assert (len(store), list(store), dict(store)) == (1, ["a"], {"a": {"n": 1}})
    del store["a"]
    with pytest.raises(KeyError):
        store["a"]
    with pytest.raises(selkie.NotFound):
        del store["a"]
    assert store.retrieve("a") is None and not store.delete("a")


def test_iteration_goes_over_all_pages(store):
    with store.transaction() as transaction:
        for number in range(1201):
            transaction.store(f"{number:04}", {"n": number}, "many")
    assert [record.document["n"] for record in store.collection("many").records()] == list(range(1201))


def test_a_transaction_that_raises_writes_nothing(store):
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.store("a", {})
        1 / 0
    with pytest.raises(selkie.NotFound), store.transaction() as transaction:
        transaction.store("a", {})
        transaction.patch("missing", {"n": 1})
    assert len(store) == 0


def test_records_are_found(store):
    for number, kind in enumerate(["seal", "bird", "seal"]):
        store.insert({"kind": kind, "n": number}, "animals")
    assert [found.document["n"] for found in store.query("kind = seal", "animals", order_by="-n")] == [2, 0]
    assert [found.document["n"] for found in store.query({"kind": "bird"}, "animals")] == [1]
    assert len(store.query(collection="animals", limit=2)) == 2
    rows = store.sql("SELECT count(*) AS many FROM v_animals WHERE document ->> 'n' > ?", [0])
    assert rows == [{"many": 2}]


def test_patch_history_and_undo(store):
    store.store("n", {"title": "Milk", "done": False})
    store.patch("n", {"done": None, "title": "Bread"})
    assert store["n"] == {"title": "Bread"}
    assert [entry.value for entry in store.history("n") if entry.path == "title"] == ["Milk", "Bread"]
    store.undo("n")
    assert store["n"] == {"title": "Milk", "done": False}
    record = store.record("n")
    assert record.created_at_ms <= record.updated_at_ms and record.updated_by == store.device_id


def cyclic():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", float("nan"), float("inf"), 2**53, -(2**70), {1: "key"}, "\ud800", cyclic()],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_refused(store, value):
    with pytest.raises(selkie.InvalidInput):
        store.store("n", {"value": value})
    with pytest.raises(ValueError):
        store.store("n", [value])
    assert "n" not in store


@pytest.mark.parametrize("value", [0, -1, 2**53 - 1, 1.5, "", "ü🦭\0", [], {}, [[{"a": [None]}]], True, False, None])
def test_what_json_can_hold_comes_back_with_its_type(store, value):
    store.store("n", {"value": value})
    assert store["n"]["value"] == value and type(store["n"]["value"]) is type(value)


def test_a_wrong_key_changes_nothing(tmp_path):
    path = tmp_path / "app.db"
    with EncryptedLocalStore(path, b"k" * 32) as store:
        words = store.recovery_words
        store["a"] = {"n": 1}
    for wrong in ("a guess", b"x" * 32):
        with pytest.raises(selkie.WrongKey) as refused:
            EncryptedLocalStore(path, wrong)
        assert refused.value.code == "wrong_key" and "guess" not in str(refused.value)
    for impossible in (b"short", 7, None, ""):
        with pytest.raises(selkie.InvalidInput):
            EncryptedLocalStore(path, impossible)
    with pytest.raises(selkie.AlreadyExists):
        EncryptedLocalStore(path, b"k" * 32, mode="create")
    with pytest.raises(selkie.NotFound):
        EncryptedLocalStore(tmp_path / "none.db", b"k" * 32, mode="open")
    for right in ({"user_key": bytearray(b"k" * 32)}, {"recovery_words": words}):
        with EncryptedLocalStore(path, **right) as store:
            assert store["a"] == {"n": 1}


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    assert store.closed and "closed" in repr(store)
    with pytest.raises(selkie.StoreClosed):
        store.retrieve("a")


def test_a_store_is_never_pickled(store):
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(store)
    with pytest.raises(TypeError):
        pickle.dumps(store._native)


def test_threads_share_a_store(store):
    def write(name):
        for number in range(25):
            store.store(f"{name}-{number}", {"n": number})
            assert store[f"{name}-{number}"] == {"n": number}

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_forked_child_is_refused_and_harms_nothing(store):
    store["a"] = {"n": 1}

    def child(answers):
        try:
            store.retrieve("a")
        except selkie.Forked as error:
            answers.put(error.code)

    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=child, args=(answers,))
    process.start()
    assert answers.get(timeout=30) == "forked"
    process.join()
    store["b"] = {"n": 2}
    assert store["a"] == {"n": 1}


def test_a_watch_tells_of_writes(store):
    events = store.watch("notes", timeout=0)
    store.store("n", {"title": "Milk"}, "notes")
    store.delete("n", "notes")
    assert [(event["id"], event["kind"], event["remote"]) for event in events] == [
        ("n", "put", False),
        ("n", "deleted", False),
    ]


def test_a_store_that_lost_its_key_file_or_database_is_not_replaced(tmp_path):
    for lost in ("app.db", "app.db.keys"):
        folder = tmp_path / lost
        folder.mkdir()
        with EncryptedLocalStore(folder / "app.db", b"k" * 32) as store:
            store["a"] = {"n": 1}
        (folder / lost).unlink()
        before = sorted(path.name for path in folder.iterdir())
        with pytest.raises(selkie.SelkieError):
            EncryptedLocalStore(folder / "app.db", b"k" * 32)
        assert sorted(path.name for path in folder.iterdir()) == before
