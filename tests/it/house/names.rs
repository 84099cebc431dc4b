//! Finds type names that are defined more than once in the crate.

use std::collections::BTreeMap;

use super::source::File;

/// Names that every module may define.
const STANDARD: [&str; 3] = ["Error", "Config", "Builder"];

/// Each repeated name with the places where it is defined. Associated types (`type Output = …` in an `impl`) do not
/// count.
pub(super) fn repeated(files: &[File]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in files {
        let mut depth_of_impl = None;
        let mut depth = 0_usize;
        for (index, token) in file.tokens.iter().enumerate() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    depth_of_impl = depth_of_impl.filter(|start| *start < depth);
                }
                "impl" | "trait" if depth_of_impl.is_none() && starts_item(file, index) => {
                    depth_of_impl = Some(depth);
                }
                _ => {}
            }
            let defines = match token.text.as_str() {
                "struct" | "enum" | "union" | "trait" => true,
                "type" => depth_of_impl.is_none_or(|start| start == depth),
                _ => false,
            };
            if let Some(name) = file.tokens.get(index + 1)
                && defines
                && name.text.starts_with(char::is_uppercase)
                && !STANDARD.contains(&name.text.as_str())
            {
                let place = format!("src/{}:{}", file.path, name.line);
                places.entry(&name.text).or_default().push(place);
            }
        }
    }
    let repeated = places.into_iter().filter(|(_, places)| places.len() > 1);
    repeated
        .map(|(name, places)| format!("{name} is defined at {}", places.join(", ")))
        .collect()
}

/// Whether the word at `index` starts an item. The `impl` of `-> impl Future` does not.
fn starts_item(file: &File, index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| &file.tokens[before]);
    before.is_none_or(|token| {
        ["}", ";", "]", ")", "pub", "{", "unsafe"].contains(&token.text.as_str())
    })
}

#[test]
fn a_name_that_is_defined_twice_is_found() {
    let found = repeated(&[
        File::parse("a.rs", "pub struct Peer; enum Kind {}"),
        File::parse("b.rs", "struct Other;\ntype Peer = u8; struct Kinds;"),
    ]);
    assert_eq!(found, ["Peer is defined at src/a.rs:1, src/b.rs:2"]);
}

#[test]
fn associated_types_test_types_and_standard_names_may_repeat() {
    let found = repeated(&[
        File::parse(
            "a.rs",
            "struct Error; impl Future for A { type Output = (); fn f() {} }",
        ),
        File::parse(
            "b.rs",
            "enum Error {} impl Future for B { type Output = (); }",
        ),
        File::parse(
            "c.rs",
            "trait C { type Output; } fn f() -> impl Fn() { g() }",
        ),
        File::parse("a/tests.rs", "struct B;"),
        File::parse("b/tests.rs", "struct B;"),
    ]);
    assert_eq!(found, [""; 0]);
}
