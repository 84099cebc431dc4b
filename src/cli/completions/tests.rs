use super::*;

#[test]
fn every_shell_is_told_every_command() {
    for reader in Reader::value_variants() {
        let text = String::from_utf8(text(*reader).unwrap()).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let name = if *reader == Reader::Man {
                format!(".SH \"CUPBEARER {}\"", name.to_ascii_uppercase())
            } else {
                name.to_owned()
            };
            assert!(text.contains(&name), "{reader:?} does not know {name}");
        }
    }
}

#[test]
fn the_manual_page_has_the_options_of_each_command_below_it() {
    let text = String::from_utf8(text(Reader::Man).unwrap()).unwrap();
    let check = text.split(".SH \"CUPBEARER CHECK\"").nth(1).unwrap();
    let check = check.split("\n.SH ").next().unwrap();
    assert!(check.contains(".SS OPTIONS"), "{check}");
    assert!(check.contains("\\-\\-json"), "{check}");
    assert!(
        check.contains(".SS EXAMPLES\n.nf\n\\&Example:\n\\&  cupbearer check "),
        "{check}"
    );
}
