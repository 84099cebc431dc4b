"""What a scenario returns."""
import dataclasses


@dataclasses.dataclass
class Sample:
    """One round of one proxy."""
    figure: float  # in the scenario's unit
    rate: float = None  # requests per second
    p50: float = None  # µs
    p99: float = None  # µs
    memory: float = None  # MiB, resident


@dataclasses.dataclass
class Outcome:
    name: str
    title: str
    unit: str
    samples: dict  # proxy: its samples, one for each round
    left_out: dict = dataclasses.field(default_factory=dict)  # proxy: why
    is_more_better: bool = False
    detail: str = ''  # what differs between runs
