use super::*;
use crate::config::{Overrides, Surroundings, keys};

/// The result of examining a configuration whose secret is `secret`.
async fn checked(secret: &str) -> Result<Vec<Loaded>, ConfigProblems> {
    let directory = tempfile::tempdir().unwrap();
    let secret_file = directory.path().join("secret");
    std::fs::write(&secret_file, secret).unwrap();
    let file = directory.path().join("c.toml");
    let text = format!(
        "upstream.url = \"https://api.example.com\"\n[token]\nurl = \"https://as.example.com/t\"\n\
         client_id = \"id\"\nclient_secret = {{ file = '{}' }}\n",
        secret_file.display()
    );
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides {
        file: Some(file),
        settings: Vec::new(),
        ..Overrides::default()
    };
    preflight::load_all(&[overrides], &Surroundings::default()).await
}

#[tokio::test]
async fn the_output_has_every_key_and_no_secret() {
    let checked = checked("hunter2\n").await;
    let (text, _) = to_text(&checked);
    let json = to_json(&checked).to_string();
    for key in &keys::KEYS {
        assert!(
            text.contains(key.path) && json.contains(key.path),
            "{}",
            key.path
        );
    }
    assert!(text.contains("(set)") && json.contains("(set)"));
    assert!(!text.contains("hunter2") && !json.contains("hunter2"));
}

#[tokio::test]
async fn problems_are_in_the_json() {
    let json = to_json(&checked("").await).to_string();
    assert!(
        json.contains("token.client_secret") && json.contains("is empty"),
        "{json}"
    );
}
