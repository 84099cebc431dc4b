//! Checks the parts of `deny.toml` that can be verified from files, without running `cargo deny`.

use std::fs;
use std::path::Path;

#[test]
fn every_dependency_comes_from_one_registry_and_a_second_crypto_library_is_banned() {
    let lock = read("Cargo.lock");
    let sources = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "));
    let mut count = 0;
    for source in sources {
        count += 1;
        assert_eq!(
            source,
            "\"registry+https://github.com/rust-lang/crates.io-index\""
        );
    }
    assert!(count > 100, "{count} dependencies");
    let rules = read("deny.toml");
    // The lock file also lists crates that are not built, so only `cargo deny` can check which ones are.
    for banned in [
        "ring",
        "rsa",
        "openssl",
        "openssl-sys",
        "native-tls",
        "boring",
    ] {
        assert!(
            rules.contains(&format!("{{ crate = \"{banned}\", ")),
            "{banned}"
        );
    }
    for rule in ["unknown-registry", "unknown-git", "wildcards"] {
        assert!(rules.contains(&format!("\n{rule} = \"deny\"\n")), "{rule}");
    }
}

#[test]
fn unsafe_code_is_forbidden_in_this_crate() {
    assert!(read("Cargo.toml").contains("\n[lints.rust]\nunsafe_code = \"forbid\"\n"));
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}
