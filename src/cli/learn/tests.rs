//! What is decided before and after the program runs.

use std::ffi::OsString;

use super::*;
use crate::learn::{Comparison, ObservedRequest};

fn args(command: &str) -> LearnArgs {
    LearnArgs {
        name: None,
        check: None,
        openapi: None,
        output: None,
        command: command.split(' ').map(OsString::from).collect(),
        settings: SettingsArgs::default(),
    }
}

#[test]
fn the_caller_has_the_name_of_the_program_if_that_is_a_valid_one() {
    for (command, expected) in [
        ("newman run", "newman"),
        ("/usr/bin/curl http://x", "curl"),
        ("./Nightly.Job.sh", "nightly-job"),
        ("./ö", "learnt"),
        ("__x__", "learnt"),
        ("./.hid", "hid"),
        ("./-x-", "x"),
        ("./...", "learnt"),
    ] {
        assert_eq!(args(command).caller(), expected);
    }
    let named = LearnArgs {
        name: Some("ci".to_owned()),
        ..args("curl")
    };
    assert_eq!(
        (named.caller(), named.program()),
        ("ci".to_owned(), "curl".to_owned())
    );
}

#[test]
fn a_run_without_requests_is_explained() {
    assert!(why_nothing_was_learnt(&ObservedRequests::default()).contains("CUPBEARER_URL"));
    let without_key = ObservedRequests {
        rejected_by_reason: [("caller_unknown", 2)].into(),
        ..ObservedRequests::default()
    };
    let said = why_nothing_was_learnt(&without_key);
    assert!(
        said.contains("2 caller_unknown") && said.contains("CUPBEARER_KEY"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn the_exit_code_is_that_of_the_program() {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    let of = |raw| child::exit_of(ExitStatus::from_raw(raw)).map(Exit::code);
    assert_eq!(of(0), None);
    assert_eq!(of(7 << 8), Some(7));
    assert_eq!(of(15), Some(143));
}

#[test]
fn control_characters_of_a_path_do_not_reach_the_terminal() {
    let found = Comparison {
        rejected: vec![ObservedRequest {
            path: "/a\u{9b}2J\u{202e}x".to_owned(),
            method: "GET".to_owned(),
        }],
        ..Comparison::default()
    };
    let (text, holds) = comparison::describe("ci", &found, &ObservedRequests::default());
    assert!(!holds && text.ends_with("  GET /a?2J?x"), "{text}");
}

#[test]
fn rules_are_not_said_to_allow_a_request_whose_path_is_not_known() {
    let found = Comparison {
        cut: vec![ObservedRequest {
            path: "/...@h/q".to_owned(),
            method: "GET".to_owned(),
        }],
        ..Comparison::default()
    };
    let (text, holds) = comparison::describe("ci", &found, &ObservedRequests::default());
    assert!(
        !holds && text.starts_with("not compared, since what stands before an @"),
        "{text}"
    );
}

#[test]
fn rules_are_not_said_to_allow_what_was_not_compared_with_them() {
    let found = Comparison::default();
    let everything = "guard.callers.ci allows all requests of this run";
    let described = |seen: ObservedRequests| comparison::describe("ci", &found, &seen);
    assert_eq!(
        described(ObservedRequests::default()),
        (everything.to_owned(), true)
    );
    let (text, holds) = described(ObservedRequests {
        dropped: 2,
        ..ObservedRequests::default()
    });
    assert!(
        !holds && text.ends_with("2 requests") && !text.contains("allows"),
        "{text}"
    );
    let (text, holds) = described(ObservedRequests {
        rejected_by_reason: [("caller_unknown", 1)].into(),
        ..ObservedRequests::default()
    });
    assert!(holds && text != everything, "{text}");
}
