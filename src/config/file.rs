//! Where the configuration file is looked for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;

/// Where the configuration is looked for, besides `--config`: an argument, so that tests are pure.
///
/// No `Debug`: a variable may hold a secret.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// `cupbearer.toml` is looked for here; empty is the process's own working directory.
    pub working_directory: PathBuf,
    /// `cupbearer/config.toml` is looked for here, if there is such a place.
    pub user_configuration: Option<PathBuf>,
    /// The proxies of the operating system's own settings, where it has such (macOS, Windows).
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
            system_proxies: cfg!(any(target_os = "macos", windows))
                .then(|| Arc::new(Matcher::from_system())),
        }
    }

    /// A variable that is not ours and names a place; empty is as good as unset.
    pub(crate) fn variable(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.variables.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    }

    /// The places where a file may or may not be, the first one that is there counts.
    pub(crate) fn optional_files(&self) -> impl Iterator<Item = PathBuf> {
        let user = self.user_configuration.as_ref();
        [
            Some(self.working_directory.join("cupbearer.toml")),
            user.map(|directory| directory.join("cupbearer").join("config.toml")),
        ]
        .into_iter()
        .flatten()
    }
}
