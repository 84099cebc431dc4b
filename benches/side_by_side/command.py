"""The arguments, and the order in which everything happens."""
import argparse, dataclasses, datetime, json, pathlib, signal, sys, tempfile

from . import api, bench, load, machine, processes, proxies, report, scenarios, tools
from .proxies import also
from .proxies.parts import HTTP2_IN, PLAIN, TLS, Task

HELP = """\
Compares cupbearer with other proxies that attach a token to requests: nginx, HAProxy, Envoy, Caddy, and nghttpx for HTTP/2.

  benches/sidebyside                              everything, which takes about half an hour
  benches/sidebyside --only small,tls             two scenarios
  benches/sidebyside --rounds 1 --seconds 1       whether everything works; the figures say little
  benches/sidebyside --json a.json                also keeps what was measured
  benches/sidebyside --combine a.json b.json      the table of several runs

What is compared is mostly the CPU time that a proxy's process uses for one request, since on a machine that does other
things too it varies much less than throughput. Each proxy has one worker on one core, and the load has the other cores. The
proxies take turns in short rounds, and each round begins with another one. A ratio compares figures of the same round. The
cheapest peer is the one with the best median. The relay only passes bytes on: it is the floor, not a peer. If a
request fails, the command fails, because a proxy that refuses requests looks cheap.

Everything runs on 127.0.0.1 on free ports, with the settings that --configurations prints. At the end, after an error and
after Ctrl-C, all programs are stopped and their files are deleted; Envoy and the load generator stay below target/. As root
on Debian, missing packages are installed. Other users see the command to run, and the status is 2.
"""

SCENARIO_HELP = 'The scenarios are:\n' + '\n'.join(f'  {name:<12} {scenario.title}' for name, scenario in scenarios.ALL.items())


def arguments():
    parser = argparse.ArgumentParser(prog='benches/sidebyside', description=HELP, epilog=SCENARIO_HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [proxy.name for proxy in proxies.ALL]
    parser.add_argument('--only', metavar='NAME,...', type=names_among(scenarios.ALL), default=list(scenarios.ALL),
                        help='the scenarios to measure (all)')
    parser.add_argument('--peers', metavar='NAME,...', type=names_among([name for name in known if name != report.OURS]),
                        default=[name for name in known if name != report.OURS],
                        help=f'what to compare with: {", ".join(known[1:])} (all); cupbearer is always measured')
    parser.add_argument('--also', metavar='NAME=COMMAND', type=also.parse, action='append', default=[],
                        help='another build of cupbearer, or a proxy for a plain upstream whose arguments contain {listen} and '
                             '{upstream} in place of ports; can be repeated')
    parser.add_argument('--rounds', metavar='N', type=at_least_one, default=9, help='rounds of each scenario (9)')
    parser.add_argument('--seconds', metavar='N', type=at_least_one, default=2, help='how long each round lasts (2)')
    parser.add_argument('--markdown', action='store_true', help='print the table for docs/performance.md at the end')
    parser.add_argument('--json', metavar='FILE', type=pathlib.Path, help='write every round, version and setting to a file')
    parser.add_argument('--combine', metavar='FILE', type=pathlib.Path, nargs='+',
                        help='measure nothing; print the table of runs that --json has written')
    parser.add_argument('--configurations', action='store_true',
                        help='measure nothing; print the settings of each proxy and why they are as they are')
    return parser.parse_args()


def names_among(known):
    def parse(text):
        names = text.split(',')
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f'unknown: {", ".join(unknown)}. Choose from {", ".join(known)}.')
        return [name for name in known if name in names]
    return parse


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return number


def main():
    chosen = arguments()
    if chosen.combine:
        print(report.markdown([json.loads(file.read_text()) for file in chosen.combine]), end='')
        return
    compared = [proxy for proxy in proxies.ALL if proxy.name in [report.OURS, *chosen.peers]] + chosen.also
    if chosen.configurations:
        print_configurations(compared)
        return
    # Then `finally` is reached, as at Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run = measure(chosen, compared)
    except KeyboardInterrupt:
        tools.say('interrupted; everything is stopped')
        raise SystemExit(130)
    if chosen.json:
        chosen.json.write_text(json.dumps(run, indent=1) + '\n')
    if chosen.markdown:
        print(report.markdown([run]), end='')


def measure(chosen, compared):
    cores = machine.Cores()
    open_files = machine.raise_open_files()
    wanted = [scenarios.ALL[name] for name in chosen.only]
    used = {'nginx', 'openssl', *(program for scenario in wanted for program in scenario.programs)}
    routes = {getattr(scenario, 'route', PLAIN) for scenario in wanted}
    paths = tools.provide(used | {proxy.program for proxy in compared if routes & set(proxy.routes)})
    run = {'date': datetime.date.today().isoformat(), 'machine': machine.description(), 'warning': machine.busy_warning(),
           'rounds': chosen.rounds, 'seconds': chosen.seconds,
           'versions': {name: tools.version(name, paths[name]) for name in sorted(paths) if name not in ('paced', 'nghttp')},
           'configurations': configurations(compared), 'scenarios': {}}
    print(f'{run["machine"]}; {report.rounds(run)}. benches/sidebyside --configurations prints all settings.')
    print(', '.join(run['versions'].values()))
    if run['warning']:
        print(run['warning'])
    print(flush=True)
    with tempfile.TemporaryDirectory(prefix='side-by-side-') as folder, processes.Programs() as programs:
        folder = pathlib.Path(folder)
        generators = load.Generators(paths.get('wrk'), paths.get('h2load'), paths.get('paced'), cores.load, folder)
        the_api = api.Api(folder / 'api')
        the_api.start(programs, paths['nginx'], cores.load)
        context = bench.Bench(programs, paths, compared, the_api, generators, cores, folder, chosen.rounds, chosen.seconds,
                              open_files)
        with processes.on_cores(cores.load):
            for scenario in wanted:
                outcome = dataclasses.asdict(scenario.run(context))
                run['scenarios'][scenario.name] = outcome
                print(report.terminal(outcome), flush=True)
    return run


def configurations(compared):
    """The files of every proxy, for the route with TLS, or HTTP/2 where that is all it has. Ports are examples."""
    found = {}
    for proxy in compared:
        folder = pathlib.Path('/tmp/side-by-side', proxy.name)
        task = Task(folder, 6749, TLS if TLS in proxy.routes else HTTP2_IN, api.Api('/tmp/side-by-side/api'))
        launch = proxy.configure(proxy.program, task)
        words = [f'{name}={value}' for name, value in launch.environment.items()] + [str(word) for word in launch.command]
        files = {name: text.replace(api.TOKEN, 'TOKEN') for name, text in launch.files.items()}
        found[proxy.name] = {'command': ' '.join(words), **files}
    return found


def print_configurations(compared):
    for name, files in configurations(compared).items():
        print(f'== {name}: {files.pop("command")}')
        for file, text in files.items():
            print(f'-- {file}\n{text}')
