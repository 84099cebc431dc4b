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

#[test]
fn what_the_http2_library_says_about_clients_is_logged_only_on_request() {
    for (level, is_silenced) in [
        ("info", true),
        ("WARN", true),
        ("off", true),
        ("info,hyper=debug", true),
        ("debug", false),
        ("TRACE", false),
        ("hyper=info, trace", false),
        ("info,h2=warn", false),
        ("h2::proto=debug,info", false),
    ] {
        let directives = filter(level).unwrap().to_string();
        let is_named = directives.split(',').any(|directive| directive == "h2=off");
        assert_eq!(is_named, is_silenced, "{level}: {directives}");
    }
    assert!(filter("x=nothing").is_err());
}
