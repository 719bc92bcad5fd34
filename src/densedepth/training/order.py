"""The order in which frames are drawn, and who draws which: a function of (seed, epoch, batch), so that a run can go
on from any batch without any state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler

from densedepth.data import DepthDataset, Subset

#: Frames of a lane that are shuffled among each other when the data set lies in shards.
WINDOW = 256


class BatchOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index): every frame once an epoch, less what does not fill a last batch.

    Without ``groups`` an epoch is one permutation. With them (the shard of each frame) random access would read
    every shard for every batch. Then the shards are permuted, laid end to end and cut into ``batch_size`` lanes of
    equal length; each batch takes one frame of each lane, and frames are shuffled only within a window of a lane. So
    each lane reads nearly in sequence, and a batch still mixes many shards.

    Process ``rank`` of ``world`` takes its share of each batch (of the lanes), no frame twice. Batches are the same
    for any number of processes.

    ``also`` are further data sets, whose frames are numbered after the ``length`` of the main one: of each, an epoch
    draws so many, and epochs go through all of its frames before one comes again. They go without ``groups``.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
        groups: Sequence[int] | None = None,
        also: Sequence[tuple[int, int]] = (),
    ) -> None:
        if batch_size % world:
            raise ValueError(f"a batch of {batch_size} cannot be shared by {world} processes")
        if groups is not None and also:
            raise ValueError("groups and further data sets cannot be had together")
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.also = list(also)
        self.rank, self.world = rank, world
        self.groups = None if groups is None else np.asarray(groups)
        self.epoch = self.start = 0
        self._table = lru_cache(maxsize=1)(self._drawn)

    @property
    def batches(self) -> int:
        """Batches of a whole epoch."""
        return (self.length + sum(drawn for _, drawn in self.also)) // self.batch_size

    def begin(self, epoch: int, start: int = 0) -> None:
        """The next iteration draws ``epoch`` from batch ``start`` on."""
        self.epoch, self.start = epoch, start

    def indices(self, epoch: int, batch: int) -> list[int]:
        """All frames of one batch, over all processes."""
        return [int(index) for index in self._table(epoch)[batch]]

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, share = self.epoch, self.batch_size // self.world
        mine = slice(self.rank * share, (self.rank + 1) * share)
        for batch in range(self.start, self.batches):
            yield [(epoch, index) for index in self.indices(epoch, batch)[mine]]

    def _drawn(self, epoch: int) -> np.ndarray:
        """The frames of an epoch, (batches, batch_size)."""
        rng = np.random.default_rng((self.seed, epoch))
        used = self.batches * self.batch_size
        if self.groups is None:
            frames = np.concatenate([np.arange(self.length), *self._further(epoch)])
            return rng.permutation(frames)[:used].reshape(self.batches, self.batch_size)
        place = np.empty(int(self.groups.max()) + 1, dtype=np.int64)
        shards = np.unique(self.groups)
        place[rng.permutation(shards)] = np.arange(len(shards))
        laid = np.argsort(place[self.groups], kind="stable")
        # Turned by a random number of frames, so that what the last batch leaves over is not always a shard's end.
        lanes = np.roll(laid, int(rng.integers(self.length)))[:used].reshape(self.batch_size, self.batches)
        for lane in lanes:
            for begin in range(0, self.batches, WINDOW):
                rng.shuffle(lane[begin : begin + WINDOW])
        return lanes.T

    def _further(self, epoch: int) -> Iterator[np.ndarray]:
        """The frames of each further data set in an epoch: a stretch of endlessly many permutations laid end to end."""
        first = self.length
        for number, (length, drawn) in enumerate(self.also):
            begin, end = epoch * drawn, (epoch + 1) * drawn
            rounds = range(begin // length, -(-end // length))
            laid = [np.random.default_rng((self.seed, number, turn)).permutation(length) for turn in rounds]
            offset = rounds.start * length
            yield first + np.concatenate(laid)[begin - offset : end - offset]
            first += length


def shard_of_each_frame(frames: DepthDataset) -> Sequence[int] | None:
    """The attribute ``groups`` of a data set, looked up through subsets; None where frames lie anywhere."""
    if isinstance(frames, Subset):
        groups = shard_of_each_frame(frames.dataset)
        return None if groups is None else [groups[index] for index in frames.indices]
    return getattr(frames, "groups", None)
