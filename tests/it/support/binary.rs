//! Runs the built binary with a configuration file and collects all of its output.

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use tempfile::TempDir;

use super::proxy::write_configuration;
use super::{debug_text, leaked, until};

/// The configuration of the binary.
pub(crate) struct Config<'a> {
    pub(crate) upstream: &'a str,
    pub(crate) token_url: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) secret: &'a str,
    /// Additional `--set KEY=VALUE` arguments.
    pub(crate) settings: &'a [&'a str],
}

impl Config<'_> {
    /// Writes the configuration file and the secret file, without the settings, and returns the path of the former.
    pub(crate) fn write(&self, directory: &Path) -> PathBuf {
        write_configuration(
            directory,
            self.upstream,
            self.token_url,
            self.client_id,
            self.secret,
        )
    }
}

pub(crate) struct Binary {
    pub(crate) address: SocketAddr,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    directory: TempDir,
}

impl Binary {
    /// Starts the binary and waits until it prints the address on which it listens.
    pub(crate) async fn start(config: &Config<'_>) -> Self {
        Self::start_with(config, &[]).await
    }

    /// Like [`Binary::start`], with an environment that contains only these variables.
    pub(crate) async fn start_with(config: &Config<'_>, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = config.write(directory.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command.env_clear().envs(variables.iter().copied());
        command.arg("--config").arg(file);
        for setting in config.settings {
            command.args(["--set", setting]);
        }
        Self::spawn(command, Stdio::null(), directory).await
    }

    /// Starts the binary as a service manager does that passes it one listening socket, with these variables besides
    /// `LISTEN_PID`.
    pub(crate) async fn start_with_socket(
        config: &Config<'_>,
        variables: &[(&str, &str)],
        socket: OwnedFd,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = config.write(directory.path());
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "export LISTEN_PID=$$; exec \"$@\" 3<&0 </dev/null",
            "sh",
        ]);
        command.env_clear().envs(variables.iter().copied());
        command.arg(env!("CARGO_BIN_EXE_cupbearer"));
        command.arg("--config").arg(file);
        for setting in config.settings {
            command.args(["--set", setting]);
        }
        Self::spawn(command, socket.into(), directory).await
    }

    /// Runs a command to its end, with an environment that contains only these variables. Returns its exit code and
    /// everything that it printed.
    pub(crate) async fn run(
        config: &Config<'_>,
        command: &str,
        variables: &[(&str, &str)],
    ) -> (Option<i32>, String) {
        let directory = tempfile::tempdir().unwrap();
        let file = config.write(directory.path());
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        process.env_clear().envs(variables.iter().copied());
        process.arg(command).arg("--config").arg(file);
        for setting in config.settings {
            process.args(["--set", setting]);
        }
        process.kill_on_drop(true);
        let ended = super::within("the end of the process", process.output());
        let ended = ended.await.unwrap();
        let output = [ended.stdout, ended.stderr].concat();
        let output = String::from_utf8_lossy(&output).into_owned();
        assert_eq!(leaked(&output), None, "a credential is printed: {output}");
        (ended.status.code(), output)
    }

    /// Starts one process with a proxy for each of these files in `directory`, and waits until the first one listens.
    pub(crate) async fn start_with_files(files: &[PathBuf], directory: TempDir) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command.env_clear();
        for file in files {
            command.arg("--config").arg(file);
        }
        Self::spawn(command, Stdio::null(), directory).await
    }

    /// Starts `cupbearer demo` without an admin listener.
    #[cfg(feature = "demo")]
    pub(crate) async fn start_demo() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        // The demo removes what it has created there, unless it is killed.
        command.env_clear().env("TMPDIR", directory.path());
        command.args(["demo", "--listen", "127.0.0.1:0"]);
        command.args(["--set", "admin.listen=off"]);
        Self::spawn(command, Stdio::null(), directory).await
    }

    async fn spawn(mut command: Command, stdin: Stdio, directory: TempDir) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&output)),
            collect(child.stderr.take().unwrap(), Arc::clone(&output)),
        ];
        let mut address = None;
        until("the banner", || {
            address = listens_on(&String::from_utf8_lossy(&output.lock().unwrap()));
            address.is_some()
        })
        .await;
        Self {
            address: address.unwrap(),
            child,
            output,
            readers,
            directory,
        }
    }

    /// The path of a file or folder next to the configuration file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The address of the admin listener, as the banner shows it.
    pub(crate) fn admin(&self) -> SocketAddr {
        let output = self.output();
        let (_, rest) = output.split_once("admin        http://").unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Peak resident memory since the process started.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let (_, rest) = status.split_once("VmHWM:").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Everything printed so far. Panics if it contains a credential, or text for programmers.
    pub(crate) fn output(&self) -> String {
        let output = String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned();
        assert_eq!(leaked(&output), None, "a credential is printed: {output}");
        assert_eq!(debug_text(&output), None, "{output}");
        output
    }

    /// The exit status, if the process has exited.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until the process exits and returns its status and everything that it printed.
    pub(crate) async fn wait(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        until("the end of the process", || {
            status = self.exit_status();
            status.is_some()
        })
        .await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status.unwrap(), self.output())
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut pipe: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 16 * 1024];
        while let Ok(count @ 1..) = pipe.read(&mut piece) {
            into.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    })
}

fn listens_on(banner: &str) -> Option<SocketAddr> {
    let (_, rest) = banner.split_once("listens on   http://")?;
    let (address, _) = rest.split_once('\n')?;
    address.split([' ', '"']).next()?.parse().ok()
}
