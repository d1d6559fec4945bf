"""The store for asyncio."""

import asyncio

import pytest

import selkie
from selkie.aio import AsyncStore


def test_a_store_is_used_from_a_loop(tmp_path):
    async def use():
        async with await AsyncStore.open(tmp_path / "app.db", b"k" * 32) as store:
            await asyncio.gather(*(store.store(f"{n}", {"n": n}) for n in range(10)))
            await store.patch("3", {"n": 33})
            assert await store.retrieve("3") == {"n": 33} and await store.delete("4")
            assert [record.id for record in await store.query("n > 7", order_by="-n")] == ["3", "9", "8"]
            with pytest.raises(selkie.NetworkError):
                await store.sync("http://127.0.0.1:9")
            package = await store.prepare_sync_package()
            assert (await store.apply_remote_changes(package)).applied == 0
        assert store.local.closed

    asyncio.run(use())
