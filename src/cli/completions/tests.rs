use clap::CommandFactory as _;

use super::*;
use crate::cli::Cli;

#[test]
fn completions_know_every_command() {
    for format in CompletionFormat::value_variants() {
        let text = String::from_utf8(text(*format, Cli::command()).unwrap()).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let name = if *format == CompletionFormat::Man {
                format!(".SH \"CUPBEARER {}\"", name.to_ascii_uppercase())
            } else {
                name.to_owned()
            };
            assert!(text.contains(&name), "{format:?} does not know {name}");
        }
    }
}

#[test]
fn the_manual_page_has_the_options_and_examples_of_each_command() {
    let text = String::from_utf8(text(CompletionFormat::Man, Cli::command()).unwrap()).unwrap();
    let check = text.split(".SH \"CUPBEARER CHECK\"").nth(1).unwrap();
    let check = check.split("\n.SH ").next().unwrap();
    assert!(check.contains(".SS OPTIONS"), "{check}");
    assert!(check.contains("\\-\\-json"), "{check}");
    assert!(
        check.contains(".SS EXAMPLES\n.nf\n\\&Example:\n\\&  cupbearer check "),
        "{check}"
    );
}
