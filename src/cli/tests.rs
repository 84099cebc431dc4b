//! How command lines are parsed.

use std::path::PathBuf;

use super::*;
use crate::config::Overrides;
use invocation::Invocation;

/// What a command line of `run` or `check` says about each proxy.
fn invocation(line: &str) -> Invocation {
    let cli = Cli::try_parse_from(line.split(' ')).ok().unwrap();
    let after = match cli.command {
        None => SettingsArgs::default(),
        Some(Command::Run(args)) => args.settings,
        Some(Command::Check(args)) => args.settings,
        Some(_) => panic!("neither run nor check: {line}"),
    };
    Invocation::new(cli.settings, &after)
}

fn proxies(line: &str) -> Vec<Overrides> {
    invocation(line).proxies
}

fn settings(line: &str) -> Vec<(String, String)> {
    let mut proxies = proxies(line);
    assert_eq!(proxies.len(), 1);
    proxies
        .remove(0)
        .settings
        .into_iter()
        .map(|setting| (setting.key, setting.text))
        .collect()
}

#[test]
fn the_definition_of_the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_has_a_description_and_an_example_that_names_it() {
    let cli = Cli::command();
    let mut count = 0;
    for mut command in cli.get_subcommands().cloned() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        let help = command.render_long_help().to_string();
        let (_, example) = help.split_once("\nExample:\n").expect("an example");
        let line = format!("cupbearer {}", command.get_name());
        assert!(example.contains(&line), "{help}");
        count += 1;
    }
    assert!(count > 10, "{count}");
    let help = cli.clone().render_long_help().to_string();
    assert!(help.contains("\nExamples:\n  cupbearer "), "{help}");
}

#[test]
fn outside_unix_no_help_names_what_only_unix_has() {
    for mut command in Cli::command()
        .get_subcommands()
        .cloned()
        .chain([Cli::command()])
    {
        let help = on_system(&command.render_long_help().to_string(), false);
        for word in ["unix:", "/run/", "/etc/", "SIGTERM", "chmod"] {
            assert!(!help.contains(word), "{word}: {help}");
        }
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_help_of_the_demo_shows_no_flag_that_the_demo_refuses() {
    let cli = Cli::command();
    let mut demo = cli.find_subcommand("demo").unwrap().clone();
    let help = demo.render_long_help().to_string();
    assert!(!help.contains("--config") && !help.contains("--upstream"));
    assert!(help.contains("--listen"), "{help}");
}

#[test]
fn flags_before_and_after_the_command_are_combined() {
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
    for line in [
        "cupbearer --config f",
        "cupbearer --config f check",
        "cupbearer check --config f",
    ] {
        assert_eq!(proxies(line)[0].file, Some(PathBuf::from("f")), "{line}");
    }
}

#[test]
fn only_the_first_equals_sign_of_set_separates_key_and_value() {
    assert_eq!(
        settings("cupbearer --set token.params={a=\"b\"}"),
        [("token.params".to_owned(), "{a=\"b\"}".to_owned())]
    );
}

#[test]
fn an_invalid_command_line_is_a_usage_error() {
    for line in [
        "cupbearer --set drain",
        "cupbearer --listen a --listen b",
        "cupbearer dance",
        "cupbearer --dance",
        "cupbearer completions",
        "cupbearer completions tcsh",
        "cupbearer doctor --path /a#b",
        "cupbearer doctor --path /a<b",
        "cupbearer doctor --path a",
        "cupbearer init --secret hunter2",
        "cupbearer init --client-secret hunter2",
        "cupbearer init --secret-file a --secret-command b",
        "cupbearer init --secret-file a --secret-stdin",
    ] {
        let error = Cli::try_parse_from(line.split(' ')).err().expect(line);
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()), "{line}");
    }
}

#[tokio::test]
async fn a_command_for_one_proxy_refuses_several_configuration_files() {
    for line in [
        "cupbearer --config a token --config b",
        "cupbearer --config a --config b doctor",
        #[cfg(feature = "demo")]
        "cupbearer --config a --config b demo",
        "cupbearer --config a --config b init",
        "cupbearer --config a --config b keygen",
        "cupbearer --config a --config b completions bash",
        "cupbearer --config a --config b learn -- true",
    ] {
        let cli = Cli::try_parse_from(line.split(' ')).ok().unwrap();
        assert_eq!(cli.execute().await, Exit::Usage, "{line}");
    }
}

#[test]
fn another_command_finds_the_process_with_its_files_and_the_last_address_of_its_admin_listener() {
    for (line, flags) in [
        ("cupbearer", ""),
        ("cupbearer --config it's run", " --config \"it's\""),
        (
            "cupbearer --config a run --config b",
            " --config a --config b",
        ),
        (
            "cupbearer run --admin unix:a;b --set admin.listen=c",
            " --admin 'unix:a;b'",
        ),
        ("cupbearer --admin a run --set admin.listen=b", " --admin b"),
    ] {
        assert_eq!(invocation(line).flags_to_find_it(), flags, "{line}");
    }
}

#[test]
fn each_configuration_file_is_a_proxy_with_the_same_flags() {
    let all = proxies("cupbearer --config a run --set drain=1s --config b");
    let files: Vec<_> = all.iter().map(|one| one.file.clone().unwrap()).collect();
    assert_eq!(files, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(all.iter().all(|one| one.settings.len() == 1));
}

#[test]
fn no_error_shows_what_may_be_a_secret_in_the_wrong_place() {
    const SECRET: &str = "hunter2-in-the-wrong-place";
    for line in [
        vec!["login", SECRET],
        vec!["logout", SECRET],
        vec!["token", SECRET],
        vec!["init", "--secret-stdin=hunter2-in-the-wrong-place"],
        vec!["--set", SECRET],
        vec!["check", "--set", SECRET],
    ] {
        let words = std::iter::once("cupbearer").chain(line.iter().copied());
        let mut error = Cli::try_parse_from(words).err().unwrap();
        withhold_values(&mut error);
        let text = error.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("error: "), "{text}");
    }
    let mut mistyped = Cli::try_parse_from(["cupbearer", "check", "--confg", "x"])
        .err()
        .unwrap();
    withhold_values(&mut mistyped);
    assert!(mistyped.to_string().contains("--confg"), "{mistyped}");
}

#[test]
fn no_example_puts_a_token_or_a_secret_on_a_command_line() {
    for mut command in Cli::command().get_subcommands().cloned() {
        let help = command.render_long_help().to_string();
        assert!(!help.contains("$(cupbearer"), "{help}");
    }
}
