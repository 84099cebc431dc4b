//! Reads Rust source as a flat list of tokens, without comments, strings and test code, but with the arguments
//! of macro calls.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of the crate.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to `src/`, with `/` as the separator on every system.
    pub(crate) path: String,
    /// The tokens of its product code.
    pub(crate) tokens: Vec<Token>,
}

/// An identifier, a punctuation character or one side of a bracket.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Line number, counted from 1.
    pub(crate) line: usize,
}

impl File {
    /// Panics on text that is not Rust.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut file = Self {
            path: path.to_owned(),
            tokens: Vec::new(),
        };
        if !file.is_test() {
            flatten(&stream.into_iter().collect::<Vec<_>>(), &mut file.tokens);
        }
        file
    }

    /// Whether the file contains tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The room that the file belongs to: its folder or file directly below `src/`.
    pub(crate) fn room(&self) -> &str {
        let first = self
            .path
            .split('/')
            .next()
            .expect("split yields at least one part");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The depth of the file's module below the crate root.
    pub(crate) fn depth(&self) -> usize {
        match self.path.as_str() {
            "lib.rs" | "main.rs" => 0,
            path => path.trim_end_matches("/mod.rs").split('/').count(),
        }
    }

    /// The lines in which `words` follow each other directly.
    pub(crate) fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        self.tokens
            .windows(words.len())
            .filter(|window| {
                window
                    .iter()
                    .map(|token| token.text.as_str())
                    .eq(words.iter().copied())
            })
            .map(|window| window[0].line)
            .collect()
    }
}

/// Every `.rs` file below `directory`, sorted by path.
pub(crate) fn files_below(directory: &Path) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path
                    .strip_prefix(directory)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                files.push(File::parse(&below, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn flatten(trees: &[TokenTree], tokens: &mut Vec<Token>) {
    let mut rest = trees;
    while let Some((tree, after)) = rest.split_first() {
        if let Some(item) = after_test_attribute(rest) {
            rest = after_item(item);
            continue;
        }
        rest = after;
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token {
                    text: open.to_owned(),
                    line,
                });
                flatten(&group.stream().into_iter().collect::<Vec<_>>(), tokens);
                tokens.push(Token {
                    text: close.to_owned(),
                    line: group.span_close().start().line,
                });
            }
            TokenTree::Ident(word) => tokens.push(Token {
                text: word.to_string(),
                line,
            }),
            TokenTree::Punct(sign) => tokens.push(Token {
                text: sign.as_char().to_string(),
                line,
            }),
            TokenTree::Literal(_) => {}
        }
    }
}

/// What follows `#[cfg(test)]` or `#[test]`, if `trees` starts with one of them.
fn after_test_attribute(trees: &[TokenTree]) -> Option<&[TokenTree]> {
    let [
        TokenTree::Punct(hash),
        TokenTree::Group(attribute),
        rest @ ..,
    ] = trees
    else {
        return None;
    };
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    let marks = hash.as_char() == '#'
        && (text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,"));
    marks.then_some(rest)
}

/// What follows the item, field or statement at the start of `trees`.
fn after_item(trees: &[TokenTree]) -> &[TokenTree] {
    let ends_with_brace = |word: &str| {
        [
            "fn",
            "struct",
            "enum",
            "union",
            "trait",
            "impl",
            "mod",
            "macro_rules",
            "extern",
        ]
        .contains(&word)
    };
    let ends_with_semicolon =
        |word: &str| ["use", "const", "static", "type", "let"].contains(&word);
    let mut brace_ends = false;
    let mut comma_ends = true;
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(word) if ends_with_brace(&word.to_string()) => {
                (brace_ends, comma_ends) = (true, false);
            }
            TokenTree::Ident(word) if ends_with_semicolon(&word.to_string()) => comma_ends = false,
            TokenTree::Punct(sign)
                if sign.as_char() == ';' || (comma_ends && sign.as_char() == ',') =>
            {
                return &trees[index + 1..];
            }
            TokenTree::Group(group) if brace_ends && group.delimiter() == Delimiter::Brace => {
                return &trees[index + 1..];
            }
            _ => {}
        }
    }
    &[]
}
