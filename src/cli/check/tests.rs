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

#[tokio::test]
async fn what_is_said_about_the_secret_is_what_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let token = directory.path().join("token");
    std::fs::write(&token, "opaque").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&token, owner_only).unwrap();
    }
    let of_file = format!("token.source = {{ file = '{}' }}", token.display());
    // {"exp":1}
    let expired = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.s";
    for (lines, content, expected) in [
        (
            "token.grant = \"paste\"",
            "",
            "and a person signs in once it runs",
        ),
        (
            "token.source = { http = \"http://127.0.0.1:9/t\" }",
            "",
            "but token.source was not asked",
        ),
        (
            "token.source = { command = [\"sh\"] }",
            "",
            "is there, but was not run",
        ),
        (&of_file, "opaque", "and the token can be read"),
        (&of_file, expired, "with warnings"),
    ] {
        std::fs::write(&token, content).unwrap();
        let text = format!("upstream.url = \"https://api.example.com\"\n{lines}\n");
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let checked = preflight::load_all(&[overrides], &Surroundings::default()).await;
        let (table, warnings) = to_text(&checked);
        assert!(table.contains(expected), "{table} {warnings}");
        assert_eq!(
            warnings.contains("expired at 1970"),
            content == expired,
            "{warnings}"
        );
    }
}
