"""Token buckets on a clock that the test turns, and turns of a host among tasks."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.downloads.limiter import Limiter, TokenBucket


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_capacity_at_once_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=2.0, capacity=3.0, clock=clock)
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    clock.now += 1.0
    assert bucket.take() == pytest.approx(0.5)
    assert not bucket.idle()
    clock.now += 100
    assert bucket.idle()
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_bucket_that_is_shut_opens_when_it_said() -> None:
    clock = Clock()
    bucket = TokenBucket(1.0, 1.0, clock)
    bucket.shut(10)
    bucket.shut(5)
    assert bucket.shut_for() == 10
    clock.now += 11
    assert bucket.shut_for() == 0


def test_hosts_wait_for_themselves_alone() -> None:
    """One host's requests never end; the other's go through, although connections are scarce."""

    async def main() -> list[str]:
        limiter = Limiter(per_host=2, rate=1e6, connections=3, clock=asyncio.get_running_loop().time)
        done: list[str] = []

        async def stuck() -> None:
            async with limiter.turn("slow.example"):
                await asyncio.sleep(60)

        async def quick() -> None:
            async with limiter.turn("quick.example"):
                done.append("quick")

        tasks = [asyncio.ensure_future(stuck()) for _ in range(10)]
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await asyncio.gather(*(quick() for _ in range(10)))
        for task in tasks:
            task.cancel()
        return done

    assert asyncio.run(main()) == ["quick"] * 10


def test_a_host_that_wants_to_be_left_alone_is() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        limiter = Limiter(per_host=1, rate=1e6, connections=1, clock=loop.time)
        limiter.hold("h", 0.2)
        begin = loop.time()
        async with limiter.turn("h"):
            return loop.time() - begin

    assert asyncio.run(main()) >= 0.2


def test_a_crawl_delay_slows_down_and_never_speeds_up() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        limiter = Limiter(per_host=4, rate=1000.0, connections=9, clock=loop.time)
        limiter.slow_down("h", 0.1)
        limiter.slow_down("h", 0.0001)
        begin = loop.time()
        for _ in range(3):
            async with limiter.turn("h"):
                pass
        return loop.time() - begin

    assert asyncio.run(main()) >= 0.19
