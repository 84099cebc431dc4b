use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::config::{SecretForm, SourceRole};
use crate::credentials::SecretSource;

fn assertion(server: &str, id: u32) -> String {
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "spire", "sub": "me", "aud": server, "jti": id });
    format!("{}.{}.c2ln", part(json!({ "alg": "RS256" })), part(claims))
}

/// Reads a file that holds a token of someone else. The configuration names it for this identity as long as `is_own`.
fn reader(file: &Path, form: SecretForm) -> (Arc<SecretReader>, Arc<AtomicBool>) {
    let source = RequestSource {
        role: SourceRole::Grant,
        source: SecretSource::File(file.to_owned()),
        key: "token.subject_token",
        form,
    };
    let is_own = Arc::new(AtomicBool::new(true));
    let ownership = Ownership::default();
    let asked = Arc::clone(&is_own);
    ownership.bind(Arc::new(move || {
        let owner = if asked.load(Ordering::Relaxed) {
            SourceOwner::This
        } else {
            SourceOwner::Another
        };
        Box::pin(async move { owner })
    }));
    (SecretReader::new(vec![source], ownership), is_own)
}

async fn read(reader: &SecretReader) -> String {
    let secrets = reader.read(None).await.unwrap();
    let secret = secrets.get(SourceRole::Grant).unwrap();
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn without_a_readable_configuration_only_a_jwt_for_the_same_server_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("assertion");
    let [first, renewed, other] =
        [("one", 1), ("one", 2), ("two", 3)].map(|(server, id)| assertion(server, id));
    std::fs::write(&file, &first).unwrap();
    let (reader, is_own) = reader(&file, SecretForm::Jwt);
    assert_eq!(read(&reader).await, first);
    is_own.store(false, Ordering::Relaxed);
    std::fs::write(&file, &other).unwrap();
    assert_eq!(read(&reader).await, first);
    std::fs::write(&file, &renewed).unwrap();
    assert_eq!(read(&reader).await, renewed);
    std::fs::write(&file, &other).unwrap();
    is_own.store(true, Ordering::Relaxed);
    assert_eq!(read(&reader).await, other);
}

#[tokio::test]
async fn without_a_readable_configuration_no_other_opaque_token_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("subject");
    std::fs::write(&file, "opaque-one").unwrap();
    let (reader, is_own) = reader(&file, SecretForm::Token);
    assert_eq!(read(&reader).await, "opaque-one");
    is_own.store(false, Ordering::Relaxed);
    std::fs::write(&file, "opaque-two").unwrap();
    assert_eq!(read(&reader).await, "opaque-one");
}
