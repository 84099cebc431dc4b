//! What a command line means.

use super::*;

fn parts(line: &str) -> Result<(Command, Overrides), clap::Error> {
    let (command, mut all) = several(line)?;
    assert_eq!(all.len(), 1);
    Ok((command, all.remove(0)))
}

fn several(line: &str) -> Result<(Command, Vec<Overrides>), clap::Error> {
    Cli::try_parse_from(line.split(' '))?.into_parts()
}

fn settings(line: &str) -> Vec<(String, String)> {
    let (_, overrides) = parts(line).ok().unwrap();
    overrides
        .settings
        .into_iter()
        .map(|setting| (setting.key, setting.text))
        .collect()
}

#[test]
fn the_definitions_contradict_nothing() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn every_commands_help_has_an_example_that_names_it() {
    let whole = <Cli as clap::CommandFactory>::command();
    let mut count = 0;
    for mut command in whole.get_subcommands().cloned() {
        let help = command.render_long_help().to_string();
        let (_, example) = help.split_once("\nExample:\n").expect("an example");
        let line = format!("cupbearer {}", command.get_name());
        assert!(example.contains(&line), "{help}");
        count += 1;
    }
    assert!(count > 10, "{count}");
    let help = whole.clone().render_long_help().to_string();
    assert!(help.contains("\nExamples:\n  cupbearer "), "{help}");
}

#[cfg(feature = "demo")]
#[test]
fn the_demos_help_offers_nothing_that_it_refuses() {
    let whole = <Cli as clap::CommandFactory>::command();
    let mut demo = whole.find_subcommand("demo").unwrap().clone();
    let help = demo.render_long_help().to_string();
    assert!(!help.contains("--config") && !help.contains("--upstream"));
    assert!(help.contains("--listen"), "{help}");
}

#[test]
fn without_a_command_it_runs() {
    assert_eq!(parts("cupbearer").ok().unwrap().0, Command::Run);
    assert_eq!(parts("cupbearer run").ok().unwrap().0, Command::Run);
    assert_eq!(
        parts("cupbearer check --json").ok().unwrap().0,
        Command::Check { json: true }
    );
}

#[test]
fn flags_count_before_and_after_the_command() {
    assert_eq!(
        settings("cupbearer --set drain=1s --listen a run --set name=x --upstream b"),
        [
            ("drain", "1s"),
            ("listen", "a"),
            ("name", "x"),
            ("upstream.url", "b")
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
    );
    for line in ["cupbearer --config f check", "cupbearer check --config f"] {
        assert_eq!(parts(line).ok().unwrap().1.file, Some(PathBuf::from("f")));
    }
}

#[test]
fn only_the_first_equals_sign_of_set_divides() {
    assert_eq!(
        settings("cupbearer --set token.params={a=\"b\"}"),
        [("token.params".to_owned(), "{a=\"b\"}".to_owned())]
    );
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    for line in [
        "cupbearer --config a token --config b",
        "cupbearer --config a --config b doctor",
        "cupbearer --set drain",
        "cupbearer --listen a --listen b",
        "cupbearer dance",
        "cupbearer --dance",
        "cupbearer completions",
        "cupbearer completions tcsh",
        "cupbearer init --secret hunter2",
        "cupbearer init --client-secret hunter2",
        "cupbearer init --secret-file a --secret-command b",
        "cupbearer init --secret-file a --secret-stdin",
    ] {
        let error = parts(line).err().expect(line);
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()), "{line}");
    }
}

#[test]
fn each_configuration_file_is_a_proxy_with_the_same_flags() {
    let (_, all) = several("cupbearer --config a run --set drain=1s --config b")
        .ok()
        .unwrap();
    let files: Vec<_> = all.iter().map(|one| one.file.clone().unwrap()).collect();
    assert_eq!(files, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(all.iter().all(|one| one.settings.len() == 1));
}
