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
