//! Where the configuration file is looked for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;

/// What the command line sets: a file, and single keys.
///
/// Not `Debug`: it may contain a secret, which is then rejected.
#[derive(Clone, Default)]
pub struct Overrides {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// Whether nobody named that file: it was found in the working directory when the process started.
    pub is_found_here: bool,
    /// `--listen`, `--upstream`, `--log-level` and every `--set`, in order: a later one replaces an earlier one.
    pub settings: Vec<Setting>,
}

/// One key set on the command line.
#[derive(Clone)]
pub struct Setting {
    /// The flag as it is named in problems: `--listen`, `--set`.
    pub flag: &'static str,
    /// The key's path.
    pub key: String,
    /// Its value: text as it is, lists and tables as TOML.
    pub text: String,
}

impl Overrides {
    /// The file as problems name it.
    pub(crate) fn file_name(&self) -> String {
        self.file
            .as_deref()
            .map_or_else(|| "no file".to_owned(), |file| file.display().to_string())
    }
}

/// What surrounds the process: its environment variables, directories, and the system's proxies.
///
/// Not `Debug`: a variable may contain a secret.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The directory of `./cupbearer.toml`; empty for the process's own working directory.
    pub working_directory: PathBuf,
    /// The directory of `cupbearer/config.toml`, where the user has such.
    pub user_configuration: Option<PathBuf>,
    /// Whether there is no file in those directories as far as this process is concerned.
    pub ignores_optional_files: bool,
    /// Whether this process runs proxies. Only the configurations that they use then decide which variables are kept
    /// from programs, because what is read now may never be used.
    pub has_running_proxies: bool,
    /// The proxies in the operating system's settings (macOS, Windows).
    pub system_proxies: Option<Arc<Matcher>>,
}

impl Surroundings {
    /// What this process was started with.
    #[must_use]
    pub fn of_this_process() -> Self {
        use etcetera::BaseStrategy as _;
        Self {
            variables: std::env::vars_os().collect(),
            working_directory: PathBuf::new(),
            user_configuration: etcetera::choose_base_strategy()
                .ok()
                .map(|places| places.config_dir()),
            ignores_optional_files: false,
            has_running_proxies: false,
            system_proxies: cfg!(any(target_os = "macos", windows))
                .then(|| Arc::new(Matcher::from_system())),
        }
    }

    /// A variable of others that names a path; `None` also where it is empty.
    pub(crate) fn variable(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.variables.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    }

    /// Files that need not exist; the first one that does is read.
    pub(crate) fn optional_files(&self) -> impl Iterator<Item = PathBuf> {
        let user = self.user_configuration.as_ref();
        [
            Some(self.working_directory.join("cupbearer.toml")),
            user.map(|directory| directory.join("cupbearer").join("config.toml")),
        ]
        .into_iter()
        .flatten()
        .filter(|_| !self.ignores_optional_files)
    }
}
