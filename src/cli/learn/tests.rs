//! What is decided before and after the program runs.

use super::*;
use crate::learn::{Comparison, ObservedRequest};

fn wanted(command: &str) -> Learn {
    Learn {
        name: None,
        check: None,
        openapi: None,
        output: None,
        command: command.split(' ').map(OsString::from).collect(),
    }
}

#[test]
fn the_caller_is_called_like_the_program_where_it_can_be() {
    for (command, expected) in [
        ("newman run", "newman"),
        ("/usr/bin/curl http://x", "curl"),
        ("./Nightly.Job.sh", "nightly-job"),
        ("./ö", "learnt"),
        ("__x__", "learnt"),
    ] {
        assert_eq!(wanted(command).caller(), expected);
    }
    let named = Learn {
        name: Some("ci".to_owned()),
        ..wanted("curl")
    };
    assert_eq!(
        (named.caller(), named.program()),
        ("ci".to_owned(), "curl".to_owned())
    );
}

#[test]
fn a_run_without_requests_is_told_why_that_may_be() {
    assert!(no_lesson(&ObservedRequests::default()).contains("CUPBEARER_URL"));
    let without_key = ObservedRequests {
        rejected_by_reason: [("caller_unknown", 2)].into(),
        ..ObservedRequests::default()
    };
    let said = no_lesson(&without_key);
    assert!(
        said.contains("2 caller_unknown") && said.contains("CUPBEARER_KEY"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn the_exit_code_is_the_programs_own() {
    use std::os::unix::process::ExitStatusExt as _;
    let of = |raw| of_program(ExitStatus::from_raw(raw)).map(Exit::code);
    assert_eq!(of(0), None);
    assert_eq!(of(7 << 8), Some(7));
    assert_eq!(of(15), Some(143));
}

#[test]
fn a_path_of_the_program_steers_no_terminal() {
    let found = Comparison {
        rejected: vec![ObservedRequest {
            path: "/a\u{9b}2J\u{202e}x".to_owned(),
            method: "GET".to_owned(),
        }],
        ..Comparison::default()
    };
    let (text, holds) = report::compared("ci", &found);
    assert!(!holds && text.ends_with("  GET /a?2J?x"), "{text}");
}
