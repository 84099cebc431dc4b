//! The built binary with a configuration file, its output collected to its last line.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use tempfile::TempDir;

use super::proxy::write_configuration;
use super::{leaked, until};

/// What the binary is configured with.
pub(crate) struct Config<'a> {
    pub(crate) upstream: &'a str,
    pub(crate) token_url: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) secret: &'a str,
    /// Further `--set KEY=VALUE`.
    pub(crate) settings: &'a [&'a str],
}

impl Config<'_> {
    /// The file and its secret, without the settings; returns the former's name.
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
    /// Starts it and waits until it says where it listens.
    pub(crate) async fn start(config: &Config<'_>) -> Self {
        Self::start_with(config, &[]).await
    }

    /// The same with variables in its environment, which has no others.
    pub(crate) async fn start_with(config: &Config<'_>, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = config.write(directory.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command.env_clear().envs(variables.iter().copied());
        command.arg("--config").arg(file);
        for setting in config.settings {
            command.args(["--set", setting]);
        }
        Self::running(command, directory).await
    }

    /// Starts a proxy for each of these files of `directory`, and waits until the first says where it listens.
    pub(crate) async fn of_files(files: &[PathBuf], directory: TempDir) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command.env_clear();
        for file in files {
            command.arg("--config").arg(file);
        }
        Self::running(command, directory).await
    }

    async fn running(mut command: Command, directory: TempDir) -> Self {
        let mut child = command
            .stdin(Stdio::null())
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

    /// The file or folder of this name beside its configuration.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the admin listener is; waits until the banner says so.
    pub(crate) fn admin(&self) -> SocketAddr {
        let output = self.output();
        let (_, rest) = output.split_once("admin        http://").unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Highest resident memory since the start.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let (_, rest) = status.split_once("VmHWM:").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Everything printed so far; it holds no credential.
    pub(crate) fn output(&self) -> String {
        let output = String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned();
        assert_eq!(leaked(&output), None, "a credential is printed: {output}");
        output
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end and returns that, with everything it has printed.
    pub(crate) async fn wait(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        until("the process's end", || {
            status = self.ended();
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
    address.split(' ').next()?.parse().ok()
}
