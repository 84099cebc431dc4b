use super::*;

#[test]
fn problems_are_listed_in_columns_below_their_number() {
    let mut problems = ConfigProblems::default();
    problems.push("listen", "--listen", ("\"x\" has no port", "write \"x:1\""));
    problems.push(
        "drain",
        "cupbearer.toml:3",
        ("\"30\" has no unit", "write \"30s\""),
    );

    assert_eq!(
        problems.to_string(),
        "configuration: 2 problems\n\
         \x20 listen  --listen          \"x\" has no port   write \"x:1\"\n\
         \x20 drain   cupbearer.toml:3  \"30\" has no unit  write \"30s\""
    );
}

#[test]
fn on_a_narrow_terminal_each_problem_has_lines_of_its_own() {
    let mut problems = ConfigProblems::default();
    problems.introduce("nothing is configured: `cupbearer init` writes a configuration");
    problems.push(
        "token.url",
        "not set",
        (
            "no token endpoint is set",
            "write token.url, or set CUPBEARER_TOKEN__URL_THAT_IS_LONGER_THAN_THE_LINE",
        ),
    );
    assert_eq!(
        problems.at_width(40),
        "nothing is configured: `cupbearer init`\n\
         writes a configuration\n\
         configuration: 1 problem\n\
         \x20 token.url (not set)\n\
         \x20     no token endpoint is set\n\
         \x20     write token.url, or set\n\
         \x20     CUPBEARER_TOKEN__URL_THAT_IS_LONGER_THAN_THE_LINE"
    );
    assert_eq!(problems.at_width(200), problems.to_string());
}

#[test]
fn control_characters_in_names_are_escaped() {
    let mut problems = ConfigProblems::default();
    problems.push(
        "\u{1b}[31mred",
        "a\u{1b}b.toml:1",
        ("unknown key", "remove it"),
    );
    for text in [problems.to_string(), problems.at_width(20)] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains(r"\u{1b}[31mred"), "{text}");
    }
}
