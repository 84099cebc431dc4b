use super::super::{ObservedRequests, RequestOutcomes, fold};
use super::*;

#[test]
fn the_block_is_toml_whatever_the_program_chose() {
    let mut observed = ObservedRequests::default();
    for (method, path) in [
        ("GET", "/a\"b"),
        ("GET", "/%22'%C3%BC"),
        ("POST", "/it's"),
        ("BREW", "/x"),
    ] {
        let request = ObservedRequest {
            path: path.to_owned(),
            method: method.to_owned(),
        };
        observed.requests.insert(
            request,
            RequestOutcomes {
                accepted: 1,
                asks_upgrade: false,
                statuses: [200].into(),
                rejected: 1,
            },
        );
    }
    let description = RunDescription {
        name: "ci",
        key: Path::new("/home/o'hara/ci \"1\".key"),
        program: "evil\n[guard.callers.root]",
        requests: 4,
        document: Some("/o\u{1b}.json"),
        warnings: &["it ended with 1".to_owned()],
    };
    let text = write_block(&description, &fold(&observed, None));
    let line = text.lines().find(|line| line.contains("keygen")).unwrap();
    let words = shlex::split(line.trim_start_matches("# ")).unwrap();
    assert_eq!(words.last().map(String::as_str), description.key.to_str());
    assert!(text.contains(": 4 requests; "), "{text}");
    let parsed: toml::Value = toml::from_str(&text).unwrap();
    let callers = parsed["guard"]["callers"].as_table().unwrap();
    assert_eq!(callers.keys().collect::<Vec<_>>(), ["ci"]);
    let ci = &callers["ci"];
    assert_eq!(ci["key"]["file"].as_str(), description.key.to_str());
    let allow: Vec<_> = ci["allow"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    assert_eq!(allow, ["GET /\"'ü", "GET /a\"b", "POST /it's"]);
    assert!(!text.contains('\u{1b}'), "{text}");
    for line in [
        "# Warning: it ended with 1",
        "#   BREW /x",
        "#   GET /a\"b",
        "keygen --caller ci --out ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn misleading_characters_are_escaped_in_strings_and_replaced_in_comments() {
    let mut folded = FoldedRules::default();
    let rule = "GET /a\"\\\u{202e}\u{9b}b";
    folded.deny.push(rule.to_owned());
    folded.rejected.push(ObservedRequest {
        path: "/\u{202e}\u{9b}x".to_owned(),
        method: "GET".to_owned(),
    });
    let description = RunDescription {
        name: "ci",
        key: Path::new("ci.key"),
        program: "ci",
        requests: 1,
        document: None,
        warnings: &[],
    };
    let text = write_block(&description, &folded);
    assert!(
        text.chars().all(|one| one == '\n' || is_printable(one)),
        "{text}"
    );
    assert!(text.contains("#   GET /??x"), "{text}");
    let parsed: toml::Value = toml::from_str(&text).unwrap();
    let deny = &parsed["guard"]["callers"]["ci"]["deny"][0];
    assert_eq!(deny.as_str(), Some(rule));
}
