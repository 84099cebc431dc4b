//! `check` and `run` agree: what one accepts, the other does. The configurations are generated.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// How many configurations are tried.
const CONFIGURATIONS: usize = 200;

/// Every tenth one is of two files.
const SEVERAL: usize = 10;

/// The lines of one subject, of which each configuration has one. Those after the number are invalid; `DIR` is a
/// directory with files.
const SUBJECTS: &[(usize, &[&str])] = &[
    (
        5,
        &[
            "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"",
            "listen = \"localhost:0\"\nadmin.listen = \"off\"",
            "listen = \"unix:DIR/NUMBER\"\nadmin.listen = [\"127.0.0.1:0\", \"localhost:0\"]",
            "listen = \"unix:DIR/NUMBER\"\nlisten_mode = \"0660\"\nadmin.listen = \"unix:DIR/NUMBER.admin\"",
            "listen = \"0.0.0.0:0\"\nguard.network = \"open\"\nadmin.listen = \"0.0.0.0:0\"",
            "listen = \"0.0.0.0:0\"\nadmin.listen = \"off\"",
            "listen = \"localhost\"\nadmin.listen = \"off\"",
            "listen = \"localhost:9\"\nadmin.listen = \"127.0.0.1:9\"",
            "listen = \"unix:DIR/NUMBER\"\nadmin.listen = \"unix:DIR/NUMBER\"",
            "listen = \"127.0.0.1:9\"\nadmin.listen = [\"localhost:10\", \"0.0.0.0:10\"]",
            "listen = \"127.0.0.1:9\"\nadmin.listen = \"off\"\nupstream.url = \"http://localhost:9\"",
        ],
    ),
    (
        5,
        &[
            "upstream.url = \"https://api.example.com\"",
            "upstream.url = \"https://[::1]:8443\"",
            "upstream.url = \"http://127.0.0.1:9\"",
            "upstream.url = \"https://b\u{fc}cher.example:1\"",
            "upstream.url = \"http://10.0.0.1\"\nupstream.allow_plaintext = true",
            "upstream.url = \"http://10.0.0.1\"",
            "upstream.url = \"https://a..b.com\"",
            "upstream.url = \"https://*.example.com\"",
            "upstream.url = \"https://-a.example.com\"",
            "upstream.url = \"https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "upstream.url = \"https://api.example.com/v1\"",
        ],
    ),
    (
        4,
        &[
            "",
            "network.proxy = \"none\"",
            "network.proxy = \"http://proxy.example.com:3128\"",
            "network.ca_file = \"DIR/ca.pem\"",
            "network.ca_file = \"DIR/missing.pem\"",
            "tls.cert_file = \"DIR/ca.pem\"\ntls.key_file = \"DIR/other.key\"",
            "tls.cert_file = \"DIR/ca.pem\"\ntls.key_file = \"DIR/missing.pem\"",
            "tls.cert_file = \"DIR/ca.pem\"",
            "network.ca_file = \"DIR/secret\"",
            "network.proxy = \"http://a..b:3128\"",
            "network.proxy = \"socks5://proxy.example.com\"",
        ],
    ),
    (
        5,
        &[
            "",
            "guard.local_users = \"any\"",
            "guard.deny = [\"DELETE /**\"]\nguard.read_only = true",
            "guard.callers.ci.uid = 1000",
            "guard.callers.ci.key = { file = \"DIR/key\" }\nguard.hosts = [\"box\"]",
            "guard.callers.ci.key = { file = \"DIR/missing\" }",
            "guard.callers.ci.key = { file = \"DIR/secret\" }",
            "guard.deny = [\"/x\"]",
            "guard.allow = []",
        ],
    ),
    (
        6,
        &[
            "",
            "drain = \"1s\"\ndrain_delay = \"0s\"\nruntime.threads = 2",
            "upstream.connect_timeout = \"1ms\"\nupstream.stall_timeout = \"8760h\"\nupstream.head_timeout = \"8760h\"",
            "limits.connections = 1\nlimits.in_flight = 1000000\nlimits.header_bytes = \"8KiB\"",
            "upstream.retry_body = \"0B\"\nlimits.keep_alive = \"8760h\"\nlimits.header_timeout = \"8760h\"",
            "log.level = \"info,cupbearer::token=debug\"\nlog.format = \"json\"\nupstream.headers = { X = \"1\" }",
            "drain = \"11M\"",
            "upstream.head_timeout = \"0s\"",
            "limits.header_bytes = \"1KiB\"",
            "log.level = \"inof\"",
            "upstream.headers = { Host = \"x\" }",
        ],
    ),
    (
        5,
        &[
            "[token]\nurl = \"https://as.example.com/t\"\nclient_secret = { file = \"DIR/secret\" }",
            "[token]\nissuer = \"https://as.example.com\"\nclient_secret = { file = \"DIR/secret\" }\nwait = \"0s\"",
            "[token]\npingone.domain = \"auth.example.com\"\nclient_secret = { file = \"DIR/secret\" }\nscope = \"a b\"",
            "[token]\nurl = \"http://127.0.0.1:9/t\"\nauth = \"client_secret_jwt\"\nclient_secret = { file = \"DIR/secret\" }",
            "[token]\nurl = \"https://as.example.com/t\"\nauth = \"client_secret_post\"\ndefault_lifetime = \"8760h\"\n\
             client_secret = { command = [\"cat\", \"DIR/secret\"] }",
            "[token]\nurl = \"https://as.example.com/t\"\nclient_secret = { file = \"DIR/missing\" }",
            "[token]\nurl = \"https://as.example.com/t\"\nauth = \"private_key_jwt\"\nprivate_key = { file = \"DIR/secret\" }",
            "[token]\nurl = \"https://a..b/t\"\nclient_secret = { file = \"DIR/secret\" }",
            "[token]\nissuer = \"https://*.example.com\"\nclient_secret = { file = \"DIR/secret\" }",
            "[token]\npingone.domain = \"a..b.com\"\nclient_secret = { file = \"DIR/secret\" }",
            "[token]\nurl = \"http://as.example.com/t\"\nclient_secret = { file = \"DIR/secret\" }",
        ],
    ),
];

/// A sequence of numbers that is the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// One line of each subject; in half of the configurations, one of them is invalid.
    fn configuration(&mut self, directory: &Path, number: usize) -> String {
        let invalid = self.below(2 * SUBJECTS.len());
        let mut text = format!("name = \"n{number}\"\n");
        for (index, (valid, lines)) in SUBJECTS.iter().enumerate() {
            let line = if index == invalid {
                valid + self.below(lines.len() - valid)
            } else {
                self.below(*valid)
            };
            let sets_upstream = text.contains("upstream.url");
            if sets_upstream && lines[line].starts_with("upstream.url") {
                continue;
            }
            let line = lines[line].replace("NUMBER", &number.to_string());
            writeln!(text, "{}", line.replace("DIR", directory.to_str().unwrap())).unwrap();
        }
        text + "client_id = \"id\"\n"
    }
}

fn write_files(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(directory.join("secret"), "not a key").unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(directory.join("secret"), private).unwrap();
    let key = "cupbearer_".to_owned() + &"k".repeat(43);
    std::fs::write(directory.join("key"), key).unwrap();
    let authority = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    std::fs::write(directory.join("ca.pem"), authority.cert.pem()).unwrap();
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(directory.join("other.key"), other).unwrap();
}

/// The exit code of `check`, and what it says.
fn check(files: &[PathBuf]) -> (i32, String) {
    let output = command("check", files).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

/// 0 if `run` serves all of these proxies; else its exit code, and what it says.
fn run(files: &[PathBuf]) -> (i32, String) {
    let mut child = command("run", files)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        // The last line of the banner.
        let is_started = line.contains("  admin        ") || line.contains("\"admin        ");
        text += &(line + "\n");
        let is_panic = text.contains("panic");
        if is_panic || is_started && !text.contains("cannot start") {
            child.kill().unwrap();
            child.wait().unwrap();
            return (if is_panic { 101 } else { 0 }, text);
        }
    }
    (child.wait().unwrap().code().unwrap_or(-1), text)
}

fn command(name: &str, files: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .arg(name);
    for file in files {
        command.arg("--config").arg(file);
    }
    command
}

#[test]
fn what_check_accepts_starts_and_what_it_rejects_does_not() {
    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut file = |number: usize| {
        let path = directory.path().join(format!("{number}.toml"));
        std::fs::write(&path, numbers.configuration(directory.path(), number)).unwrap();
        path
    };
    let mut all: Vec<Vec<PathBuf>> = (0..CONFIGURATIONS)
        .map(|number| vec![file(number)])
        .collect();
    for (number, files) in all.iter_mut().enumerate().step_by(SEVERAL) {
        let more = file(CONFIGURATIONS + number);
        // Only one file may have the keys of the process.
        let text = std::fs::read_to_string(&more).unwrap();
        let lines = text.lines().filter(|line| {
            !["admin.", "drain", "log.", "runtime."]
                .iter()
                .any(|start| line.starts_with(start))
        });
        std::fs::write(&more, lines.collect::<Vec<_>>().join("\n")).unwrap();
        files.push(more);
    }
    let (accepted, rejected) = (Mutex::new(0), Mutex::new(0));
    let queue = Mutex::new(all.iter());
    let work = || {
        while let Some(files) = { queue.lock().unwrap().next() } {
            let (checked, said) = check(files);
            let (ran, printed) = run(files);
            let text = || std::fs::read_to_string(&files[0]).unwrap();
            assert_eq!(checked, ran, "{}\n{said}\n{printed}", text());
            assert!(matches!(checked, 0 | 3), "{}\n{said}", text());
            *if checked == 0 { &accepted } else { &rejected }
                .lock()
                .unwrap() += 1;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(work);
        }
    });
    let (accepted, rejected) = (*accepted.lock().unwrap(), *rejected.lock().unwrap());
    assert_eq!(accepted + rejected, CONFIGURATIONS);
    assert!(
        accepted > 60 && rejected > 60,
        "{accepted} accepted, {rejected} rejected"
    );
}
