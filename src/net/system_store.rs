//! The system's certificate authorities as the platform's verifier reads them: which store it uses, how many
//! authorities that contains, and why it contains none.

use std::fmt;

/// The store of certificate authorities that is trusted beside `network.ca_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemStore {
    /// Where it is: the variables that name it, or the operating system.
    source: String,
    /// How many certificates it holds; `None` if only the operating system knows.
    certificates: Option<usize>,
    /// What is wrong with it, each as a sentence that names the variable and the path.
    pub warnings: Vec<String>,
}

impl fmt::Display for SystemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certificates {
            Some(1) => write!(f, "1 certificate authority of {}", self.source),
            Some(count) => write!(f, "{count} certificate authorities of {}", self.source),
            None => write!(f, "the certificate authorities of {}", self.source),
        }
    }
}

/// macOS and Windows have a store of their own, and ignore the variables.
#[cfg(any(not(unix), target_vendor = "apple"))]
#[must_use]
pub fn system_store() -> SystemStore {
    SystemStore {
        source: "the operating system".to_owned(),
        certificates: None,
        warnings: Vec::new(),
    }
}

/// Reads the store. Blocks on the disk.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[must_use]
pub fn system_store() -> SystemStore {
    let variables = store_variables();
    let mut warnings: Vec<String> = variables.iter().flat_map(warnings_about).collect();
    let certificates = rustls_native_certs::load_native_certs().certs.len();
    if certificates == 0
        && let Some(last) = warnings.last_mut()
    {
        last.push_str("; no certificate authority of the system is trusted");
    }
    let source = if variables.is_empty() {
        "the system's store".to_owned()
    } else {
        let named: Vec<String> = variables
            .iter()
            .map(|variable| format!("{}={}", variable.name, variable.value.display()))
            .collect();
        named.join(" and ")
    };
    SystemStore {
        source,
        certificates: Some(certificates),
        warnings,
    }
}

/// What is wrong with the store, if a variable names it. Reads nothing if none does. Blocks on the disk.
#[must_use]
pub fn store_warnings() -> Vec<String> {
    #[cfg(all(unix, not(target_vendor = "apple")))]
    if store_variables().is_empty() {
        return Vec::new();
    }
    system_store().warnings
}

/// A variable that names the store instead of the usual one.
#[cfg(all(unix, not(target_vendor = "apple")))]
struct StoreVariable {
    name: &'static str,
    value: std::path::PathBuf,
    is_directory: bool,
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn store_variables() -> Vec<StoreVariable> {
    [("SSL_CERT_FILE", false), ("SSL_CERT_DIR", true)]
        .into_iter()
        .filter_map(|(name, is_directory)| {
            let value = std::env::var_os(name)?;
            // An empty SSL_CERT_DIR counts as unset, an empty SSL_CERT_FILE as a file without a name.
            (!is_directory || !value.is_empty()).then(|| StoreVariable {
                name,
                value: value.into(),
                is_directory,
            })
        })
        .collect()
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn warnings_about(variable: &StoreVariable) -> Vec<String> {
    let paths: Vec<_> = if variable.is_directory {
        std::env::split_paths(&variable.value)
            .filter(|path| !path.as_os_str().is_empty())
            .collect()
    } else {
        vec![variable.value.clone()]
    };
    let unusable = |path: &std::path::PathBuf| {
        let (file, directory) = if variable.is_directory {
            (None, Some(path.as_path()))
        } else {
            (Some(path.as_path()), None)
        };
        let read = rustls_native_certs::load_certs_from_paths(file, directory);
        let what = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist",
            Err(_) => "cannot be read",
            Ok(_) if !read.certs.is_empty() => return None,
            Ok(_) => "holds no certificate",
        };
        Some(format!(
            "{} names {}, which {what}",
            variable.name,
            path.display()
        ))
    };
    paths.iter().filter_map(unusable).collect()
}
