use super::*;

const ODD: [&str; 8] = [
    "/plain/c.toml",
    "/with space/c.toml",
    "/it's/$HOME/`x`/c.toml",
    "/\"quoted\"/c.toml",
    "/back\\slash/c.toml",
    "/line\nbreak/c.toml",
    "/escape\u{1b}[2J/c.toml",
    "/~/ö/c.toml",
];

#[test]
fn a_shell_reads_the_word_as_the_path() {
    for path in ODD {
        let words = shlex::split(&format!("x {}", shell_word(Path::new(path)))).unwrap();
        assert_eq!(words, ["x", path]);
    }
    assert_eq!(shell_word(Path::new("/plain/c.toml")), "/plain/c.toml");
}

#[test]
fn toml_reads_the_string_as_the_path() {
    for path in ODD {
        let text = format!("key = {{ file = {} }}", toml_string(Path::new(path)));
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["key"]["file"].as_str(), Some(path), "{text}");
    }
}
