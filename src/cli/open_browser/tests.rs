use std::time::Duration;

use super::*;
use crate::credentials::withhold_variable;

#[tokio::test]
async fn a_browser_gets_no_variable_that_may_contain_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (partial, whole) = (
        directory.path().join("partial"),
        directory.path().join("whole"),
    );
    withhold_variable("CARGO_PKG_LICENSE"); // cargo sets it
    let mut command = Command::new("sh");
    command.args(["-c", "env >\"$1\" && mv \"$1\" \"$2\"", "sh"]);
    command.arg(&partial).arg(&whole);
    start_apart(command).unwrap();
    while !whole.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let variables = std::fs::read_to_string(&whole).unwrap();
    let has = |name: &str| variables.lines().any(|line| line.starts_with(name));
    assert!(has("CARGO_PKG_NAME="), "{variables}");
    assert!(!has("CARGO_PKG_LICENSE="), "{variables}");
}
