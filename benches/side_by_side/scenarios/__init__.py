"""What is measured, in the order in which it is shown."""
from . import closed_loop, fixed_rate, idle, start, threads

ALL = {scenario.name: scenario for module in (closed_loop, threads, fixed_rate, idle, start) for scenario in module.SCENARIOS}
