"""Statistics of the rounds, and the tables in which they are shown.

A run is the content of a file of `--json`.
"""
import statistics

from . import proxies

OURS = 'cupbearer'


class Summary:
    """One scenario of one run: which peer is the cheapest, and how everybody compares with it."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.figures = {name: [sample['figure'] for sample in samples] for name, samples in outcome['samples'].items() if samples}
        medians = {name: statistics.median(figures) for name, figures in self.figures.items()}
        sign = -1 if outcome['is_more_better'] else 1
        self.ranking = sorted(medians, key=lambda name: sign * medians[name])
        self.cheapest_peer = next((name for name in self.ranking if name in proxies.PEERS), None)

    def ratios(self, name):
        """To the cheapest peer, in each round: both were measured within seconds."""
        if self.cheapest_peer is None or name not in self.figures:
            return []
        return [own / peer for own, peer in zip(self.figures[name], self.figures[self.cheapest_peer])]

    def median(self, name, key):
        values = [sample[key] for sample in self.outcome['samples'][name] if sample[key] is not None]
        return statistics.median(values) if values else None


def number(value):
    """Three digits, or all before the point."""
    if value is None:
        return ''
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f'{value:,.{digits}f}'


def span(values, show=number):
    return f'{show(min(values))} to {show(max(values))}' if values else ''


def ratio(value):
    return f'{value:.2f}'


def quartiles(values):
    if len(values) < 2:
        return ''
    low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    return f'{number(low)} to {number(high)}'


COLUMNS = ['', 'median', 'quartiles', 'min to max', 'ratio', 'min to max', 'requests/s', 'p50 µs', 'p99 µs', 'MiB']


def terminal(outcome):
    """One scenario with all proxies, the best first."""
    summary = Summary(outcome)
    rows = [COLUMNS]
    for name in summary.ranking:
        ratios = summary.ratios(name)
        rows.append([name, number(statistics.median(summary.figures[name])), quartiles(summary.figures[name]),
                     span(summary.figures[name]), ratio(statistics.median(ratios)) if ratios else '', span(ratios, ratio),
                     *(number(summary.median(name, key)) for key in ('rate', 'p50', 'p99', 'memory'))])
    # A column that no proxy has is left out.
    shown = [index for index in range(len(COLUMNS)) if index < 2 or any(row[index] for row in rows[1:])]
    widths = {index: max(len(row[index]) for row in rows) for index in shown}
    lines = [f'{outcome["name"]}: {outcome["title"]}{outcome["detail"]} ({outcome["unit"]})']
    for row in rows if summary.ranking else []:
        cells = [row[index].ljust(widths[index]) if index == 0 else row[index].rjust(widths[index]) for index in shown]
        lines.append('  ' + '  '.join(cells).rstrip())
    lines += [f'  {name} is missing: {why}' for name, why in outcome['left_out'].items()]
    return '\n'.join(lines) + '\n'


def markdown(runs):
    """The table of docs/performance.md. With several runs, each cell has one median for each."""
    several = len(runs) > 1
    lines = ['| scenario | cupbearer | cheapest peer | ratio |', '| --- | --- | --- | --- |']
    names = dict.fromkeys(name for run in runs for name in run['scenarios'])
    for name in names:
        outcomes = [run['scenarios'][name] for run in runs if name in run['scenarios']]
        summaries = [Summary(outcome) for outcome in outcomes]
        details = '' if several else outcomes[0]['detail']
        what = f'{name}: {outcomes[0]["title"]}{details} ({outcomes[0]["unit"]})'
        with_ours = [summary for summary in summaries if OURS in summary.figures]
        if not with_ours:
            why = outcomes[0]['left_out'].get(OURS, 'not measured')
            lines.append(f'| {what} | {why} | | |')
            continue
        ours = cell([summary.figures[OURS] for summary in with_ours], several)
        peer = cell([summary.figures[summary.cheapest_peer] for summary in with_ours if summary.cheapest_peer], several)
        peers = ', '.join(dict.fromkeys(summary.cheapest_peer for summary in with_ours if summary.cheapest_peer))
        ratios = cell([summary.ratios(OURS) for summary in with_ours if summary.cheapest_peer], several, ratio)
        lines.append(f'| {what} | {ours} | {f"{peers} {peer}".strip()} | {ratios} |')
    return '\n'.join(lines) + '\n\n' + explanation(runs, several)


def cell(figures_of_runs, several, show=number):
    if not figures_of_runs:
        return ''
    medians = [statistics.median(figures) for figures in figures_of_runs]
    if several:
        return f'{", ".join(map(show, medians))}; median {show(statistics.median(medians))}'
    return f'{show(medians[0])} ({span(figures_of_runs[0], show)})'


def rounds(run):
    return f'{run["rounds"]} round{"" if run["rounds"] == 1 else "s"} of {run["seconds"]} s'


def explanation(runs, several):
    run = runs[0]
    shown = f'The median of each of {len(runs)} runs' if several else 'Median, minimum and maximum'
    versions = ', '.join(run['versions'].values())
    lines = [f'{shown} of {rounds(run)}, on {run["date"]}: {run["machine"]}; {versions}. '
             'A ratio compares figures of the same round.']
    lines += [warning for warning in dict.fromkeys(run['warning'] for run in runs) if warning]
    return '\n'.join(lines) + '\n'
