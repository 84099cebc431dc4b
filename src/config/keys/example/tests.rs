use super::*;

#[test]
fn the_example_contains_every_key_with_its_value() {
    let uncommented: String = example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') => rest,
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                rest
            }
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let example: toml::Value = toml::from_str(&uncommented).unwrap();
    for key in KEYS.iter().chain(&CALLER_KEYS) {
        let path = key.path.replace("NAME", "ci");
        let found = path.split('.').try_fold(&example, |at, part| at.get(part));
        let expected: toml::Value =
            toml::from_str(&format!("v = {}", key.fallback.text())).unwrap();
        assert_eq!(found, expected.get("v"), "{}", key.path);
    }
}
