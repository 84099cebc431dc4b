use std::time::UNIX_EPOCH;

use super::*;

#[test]
fn a_line_for_people_is_an_object_in_a_log_of_json() {
    for (line, expected) in [
        (
            "  listens on   \"http://localhost\"",
            r#"{"timestamp":"1970-01-01T00:00:00.000000Z","level":"INFO","message":"listens on   \"http://localhost\""}"#,
        ),
        (
            "warning: x",
            r#"{"timestamp":"1970-01-01T00:00:00.000000Z","level":"WARN","message":"x"}"#,
        ),
        (
            "cupbearer cannot start: x",
            r#"{"timestamp":"1970-01-01T00:00:00.000000Z","level":"ERROR","message":"cupbearer cannot start: x"}"#,
        ),
    ] {
        assert_eq!(json_line(line, UNIX_EPOCH), format!("{expected}\n"));
    }
}
