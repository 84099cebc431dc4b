//! Names of environment variables.

/// How the name of every environment variable of cupbearer starts.
pub const PREFIX: &str = crate::credentials::VARIABLE_PREFIX;

/// The variable that names the file, which is not a key.
pub(crate) const CONFIG_VARIABLE: &str = "CUPBEARER_CONFIG";

/// The endings of a secret key's variables, besides the bare name.
pub(crate) const SECRET_ENDINGS: [&str; 2] = ["__FILE", "__COMMAND"];

/// The name of the environment variable of a key's path.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}
