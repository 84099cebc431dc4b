//! `cupbearer --version`; with `--verbose` also how the program was built, which `build.rs` records.

/// One line, or with `verbose` one for each fact.
pub(super) fn version_text(verbose: bool) -> String {
    let version = concat!("cupbearer ", env!("CARGO_PKG_VERSION"), "\n");
    if !verbose {
        return version.to_owned();
    }
    let features: Vec<&str> = [
        ("demo", cfg!(feature = "demo")),
        ("keyring", cfg!(feature = "keyring")),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| is_on.then_some(name))
    .collect();
    let features = if features.is_empty() {
        "none".to_owned()
    } else {
        features.join(", ")
    };
    format!(
        "{version}commit: {}\ntarget: {}\ntoolchain: {}\nfeatures: {features}\n",
        env!("CUPBEARER_BUILD_COMMIT"),
        env!("CUPBEARER_BUILD_TARGET"),
        env!("CUPBEARER_BUILD_TOOLCHAIN"),
    )
}
