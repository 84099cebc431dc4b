//! Names of environment variables.

/// What every environment variable of ours begins with.
pub const PREFIX: &str = crate::credentials::VARIABLE_PREFIX;

/// Names the file; not a key, because it says where the keys are.
pub(crate) const CONFIG_VARIABLE: &str = "CUPBEARER_CONFIG";

/// The endings of a secret key's variables, besides the bare name.
pub(crate) const SECRET_ENDINGS: [&str; 2] = ["__FILE", "__COMMAND"];

/// The name of the environment variable of a key's path.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}
