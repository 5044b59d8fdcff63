"""A neural scene in the compressed form that stays in video memory: what a shader can decode one cluster at a time.

A .kilo's own streams have few lanes and an octree that must be read from its root. Here the scene is coded again, in
jobs of consecutive Gaussians of one cluster, each cut into lanes of a few Gaussians, one lane a thread
(`renderer/resident_lanes.py`). Everything is one of four buffers of 32-bit words:

    stream    for each job: u8 length of each of its lanes in u16, padded to a word; the lanes' u16, padded to a word
    tables    heads (index of the first entry << 8 | shift) of the tables and one more, then their entries
    networks  for each network: weights (4 int8 a word, or 2 half floats), steps as floats, box as 6 floats
    jobs      `RESIDENT_JOB`

A Gaussian is coded as its codes, by a table for each dimension; then how many bits the difference of its Morton code to
the one before it in the lane has (the first of a lane: to the job's first), by table NEXT_TABLE or FIRST_TABLE; then
these bits without the leading one, 16 at a time from the lowest. (Plain bits last: a lane's encoder begins with them,
and from a state near 0 a symbol of a table would cost its whole precision.) Cells of a scene without a grid are its
half floats as ordered integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from renderer.decode import decode_jobs
from renderer.layouts import GROUP, RESIDENT_JOB
from renderer.resident_lanes import RAW_BITS, Steps, Table, encode_lanes, fit_table, raw_steps
from scenes.bank import BankShape, MlpBank
from scenes.errors import KilofieldError
from scenes.gaussians import Floats
from scenes.kilo_pack import columns_of_weights
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians
from scenes.octree import morton_codes

LANE = 8  # Gaussians of a lane: more is smaller (2 to 3 bits a Gaussian at 8), less has more threads
BATCH_JOBS = 256  # coded at once, which bounds the memory that takes
FIRST_TABLE, NEXT_TABLE, CODE_TABLES = 0, 1, 2
MAX_LANE_WORDS = 255  # of 16 bits; the length of a lane is a byte
RADIUS_SLACK = 1.01  # what the shader decodes differs from numpy's in the last digits


@dataclass(frozen=True)
class ResidentScene:
    """The buffers of a scene, and what the CPU keeps: `scene` is in the order the Gaussians are decoded in."""

    scene: NeuralGaussians  # sorted by cluster, then Morton code
    log_scales: Floats  # [N, 3] decoded, ln of world units
    stream: NDArray[np.uint32]
    tables: NDArray[np.uint32]
    networks: NDArray[np.uint32]  # [K, words]
    jobs: NDArray[np.void]  # of RESIDENT_JOB
    lane: int  # Gaussians of a lane
    position_words: int  # 16-bit fields a Gaussian's position takes at most

    @property
    def bytes(self) -> int:
        """Video memory of all four."""
        return sum(array.nbytes for array in (self.stream, self.tables, self.networks, self.jobs))


class LongLaneError(Exception):
    """A lane has more words than its length has room for."""


def pack(scene: NeuralGaussians, lane: int = LANE) -> ResidentScene:
    """`scene` compressed, in lanes of up to `lane` Gaussians.

    Raises `ValueError` for a scene that a .kilo could not hold exactly either: positions off their grid, or not half
    floats; weights that are not int8 times their steps, or not half floats. Raises `KilofieldError` for codes of
    hundreds of dimensions.
    """
    morton = morton_codes(_cells(scene))
    order = np.lexsort((morton, scene.clusters))
    scene, morton = replace(scene, positions=scene.positions[order], codes=scene.codes[order]), morton[order]
    log_scales, networks = decode_log_scales(scene), _networks(scene)
    codes = [fit_table(column) for column in scene.codes.T]
    while True:
        jobs = _jobs(scene, morton, log_scales, lane)
        position = _PositionCoder(morton, jobs, lane)
        tables = _tables([position.first, position.next, *codes])
        try:
            stream = _stream(scene, jobs, position, codes, lane)
        except LongLaneError:
            if lane == 1:
                raise KilofieldError(
                    f"codes: expected at most {MAX_LANE_WORDS * 2:,} bytes a Gaussian to stay compressed, found more"
                ) from None
            lane //= 2
            continue
        return ResidentScene(scene, log_scales, stream, tables, networks, jobs, lane, position.words)


def decode_log_scales(scene: NeuralGaussians) -> Floats:
    """[N, 3] of `scene.decode()`, from networks without their other outputs."""
    scales = AttributeLayout(scene.sh_degree).log_scale
    shape = replace(scene.bank.shape, outputs=3)
    weights = np.empty((len(scene.bank), shape.parameters), np.float32)
    for whole, part in zip(scene.bank.shape.blocks(), shape.blocks(), strict=True):
        block = scene.bank.weights[:, whole.offset : whole.stop].reshape(-1, whole.rows, whole.columns)
        kept = block[:, :, scales] if _is_output(whole.name) else block
        weights[:, part.offset : part.stop] = kept.reshape(len(weights), -1)
    bank = MlpBank(shape, weights)
    raw = bank.evaluate(scene.clusters, scene.local_positions(), scene.codes.astype(np.float32))
    return np.asarray(scene.output_offset[scales] + scene.output_scale[scales] * raw, np.float32)


def _is_output(name: str) -> bool:
    return name in ("output", "output_bias", "linear")


@dataclass(frozen=True)
class NetworkPlaces:
    """Words of one network's entry in `ResidentScene.networks`."""

    steps: int  # of the first step, behind the weights
    box: int
    words: int


def network_places(shape: BankShape, stepped: bool) -> NetworkPlaces:
    """Where the parts of a network are, whose weights are int8 when `stepped`, else half floats."""
    steps = -(-shape.parameters // (4 if stepped else 2))
    box = steps + (len(shape.blocks()) if stepped else 0)
    return NetworkPlaces(steps, box, box + 6)


def _cells(scene: NeuralGaussians) -> NDArray[np.integer]:
    """[N, 3] integers that stand for the positions exactly."""
    if scene.grid is not None:
        cells = scene.grid.cells(scene.positions)
        if not np.array_equal(scene.grid.positions(cells), scene.positions):
            raise ValueError("positions: expected all of them exactly on the grid")
        return cells
    bits = _halves(scene.positions, "positions").view(np.uint16).astype(np.uint32)
    return np.where(bits & 0x8000, bits ^ 0xFFFF, bits | 0x8000)  # in the order of the numbers


def _halves(values: Floats, what: str) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    if not np.array_equal(halves.astype(np.float32), values):
        raise ValueError(f"{what}: expected half floats")
    return halves


def _jobs(scene: NeuralGaussians, morton: NDArray[np.uint64], log_scales: Floats, lane: int) -> NDArray[np.void]:
    plain = decode_jobs(scene.counts, 0, len(scene), GROUP * lane)
    jobs = np.zeros(len(plain), RESIDENT_JOB.dtype)
    for name in ("network", "first", "count"):
        jobs[name] = plain[name]
    if len(jobs):
        first = plain["first"].astype(np.int64)
        jobs["lowest"][:, :3] = np.minimum.reduceat(scene.positions, first)
        with np.errstate(over="ignore"):  # an infinite deviation is never out of sight
            jobs["lowest"][:, 3] = RADIUS_SLACK * np.exp(np.maximum.reduceat(log_scales.max(axis=1), first))
        jobs["highest"][:, :3] = np.maximum.reduceat(scene.positions, first)
        jobs["morton_low"] = morton[first] & np.uint64(0xFFFFFFFF)
        jobs["morton_high"] = morton[first] >> np.uint64(32)
    return jobs


class _PositionCoder:
    """Tables and steps of the Morton codes' differences."""

    def __init__(self, morton: NDArray[np.uint64], jobs: NDArray[np.void], lane: int) -> None:
        job_first = jobs["first"].astype(np.int64)
        within = np.arange(len(morton)) - np.repeat(job_first, jobs["count"])
        self._starts = within % lane == 0
        before = np.concatenate([morton[:1], morton[:-1]])
        before[self._starts] = morton[np.repeat(job_first, jobs["count"])][self._starts]
        self._beyond = morton - before
        self._lengths = _bit_lengths(self._beyond)
        self.first = fit_table(self._lengths[self._starts], max_shift=0)
        self.next = fit_table(self._lengths[~self._starts], max_shift=0)
        self.words = -(-max(int(self._lengths.max(initial=0)) - 1, 0) // RAW_BITS)

    def steps(self, part: slice) -> list[Steps]:
        """The steps of the Gaussians `part`."""
        lengths, starts = self._lengths[part], self._starts[part]
        count = len(lengths)
        length = Steps(np.empty(count, np.uint32), np.empty(count, np.uint32), np.empty(count, np.uint8))
        for table, mine in ((self.first, starts), (self.next, ~starts)):
            (step,) = table.steps(lengths[mine])
            length.frequencies[mine], length.starts[mine] = step.frequencies, step.starts
            length.bits[mine] = step.bits
        steps = [length]
        plain = np.maximum(lengths - 1, 0)
        for word in range(self.words):
            taken = np.clip(plain - RAW_BITS * word, 0, RAW_BITS)
            values = (self._beyond[part] >> np.uint64(RAW_BITS * word)).astype(np.int64) & ((1 << taken) - 1)
            steps.append(raw_steps(values, taken))
        return steps


def _bit_lengths(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[N] how many bits each number below 2^63 has, 0 for 0."""
    high, low = (values >> np.uint64(32)).astype(np.int64), (values & np.uint64(0xFFFFFFFF)).astype(np.int64)
    lengths = np.where(high > 0, 32 + np.frexp(high)[1], np.frexp(low)[1])
    return lengths.astype(np.int64)


def _stream(
    scene: NeuralGaussians, jobs: NDArray[np.void], position: _PositionCoder, codes: list[Table], lane: int
) -> NDArray[np.uint32]:
    """The words of all jobs; sets where each begins. Raises `LongLaneError`."""
    coded: list[NDArray[np.uint32]] = []
    for batch in range(0, len(jobs), BATCH_JOBS):
        mine = jobs[batch : batch + BATCH_JOBS]
        part = slice(int(mine["first"][0]), int(mine["first"][-1] + mine["count"][-1]))
        steps: list[Steps] = []
        for dimension, table in enumerate(codes):
            steps += table.steps(scene.codes[part, dimension].astype(np.int64))
        coded += _code_jobs(mine, steps + position.steps(part), lane)
    jobs["words"] = np.cumsum([0, *map(len, coded)])[:-1]
    return np.concatenate([*coded, np.zeros(1, np.uint32)])  # never empty


def _code_jobs(jobs: NDArray[np.void], steps: list[Steps], lane: int) -> list[NDArray[np.uint32]]:
    """The words of each of some consecutive jobs."""
    lanes = -(-jobs["count"].astype(np.int64) // lane)  # [J]
    ends = np.cumsum(lanes)
    lane_job = np.repeat(np.arange(len(jobs)), lanes)
    number = np.arange(len(lane_job)) - (ends - lanes)[lane_job]  # of the lane in its job
    within = number[:, None] * lane + np.arange(lane)  # [L, m] of the Gaussian in its job
    first = jobs["first"].astype(np.int64) - int(jobs["first"][0])
    words, lengths = encode_lanes(
        steps, np.where(within < jobs["count"][lane_job, None], first[lane_job, None] + within, -1)
    )
    if lengths.max(initial=0) > MAX_LANE_WORDS:
        raise LongLaneError
    of_jobs = zip(
        np.split(lengths.astype(np.uint8), ends[:-1]), np.split(words, np.cumsum(lengths)[ends[:-1] - 1]), strict=True
    )
    return [np.concatenate([_words(heads[None])[0], _words(body[None])[0]]) for heads, body in of_jobs]


def _tables(tables: list[Table]) -> NDArray[np.uint32]:
    entries = [table.entries() for table in tables]
    ends = np.cumsum([len(tables) + 1, *map(len, entries)])
    shifts = np.array([*(table.shift for table in tables), 0])
    return np.concatenate([(ends << 8 | shifts).astype(np.uint32), *entries])


def _networks(scene: NeuralGaussians) -> NDArray[np.uint32]:
    """[K, words] weights, steps, boxes."""
    shape, steps = scene.bank.shape, scene.weight_steps
    boxes = np.ascontiguousarray(scene.boxes, np.float32).reshape(len(scene.bank), 6).view(np.uint32)
    if steps is None:
        return np.concatenate([_words(_halves(scene.bank.weights, "weights")), boxes], axis=1)
    step = steps.astype(np.float32)[:, columns_of_weights(shape)]
    quantised = np.rint(np.divide(scene.bank.weights, step, out=np.zeros_like(step), where=step != 0))
    integers = np.clip(quantised, -128, 127).astype(np.int8)
    if not np.array_equal(integers.astype(np.float32) * step, scene.bank.weights):
        raise ValueError("weights: expected integers from -128 to 127 times the steps, in float32")
    return np.concatenate([_words(integers), steps.astype(np.float32).view(np.uint32), boxes], axis=1)


def _words(values: NDArray[np.generic]) -> NDArray[np.uint32]:
    """[K, P] small numbers as [K, words], each row padded to whole words."""
    per_word = 4 // values.itemsize
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % per_word)))
    return np.ascontiguousarray(padded).view(np.uint32)
