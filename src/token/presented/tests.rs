use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::config::SourceRole;
use crate::credentials::{Secret, SecretSource};

const NOW: u64 = 1_800_000_000;

fn source(form: SecretForm) -> RequestSource {
    RequestSource {
        role: SourceRole::Grant,
        source: SecretSource::Value(Secret::new("not read")),
        key: "token.assertion",
        form,
    }
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

fn check(form: SecretForm, token: &str) -> Result<Option<Duration>, PresentedTokenDefect> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    check_presented(&source(form), token.as_bytes(), now)
}

#[test]
fn a_token_is_presented_until_its_end_and_one_without_end_always() {
    for (exp, expected) in [
        (json!(NOW + 1), Ok(Some(Duration::from_secs(1)))),
        (json!(NOW), Err(())),
        (json!(NOW - 1), Err(())),
        (json!(0), Err(())),
        (json!(-1), Err(())),
        (json!(format!("{}", NOW - 1)), Err(())),
        (
            json!(format!("{}", NOW + 1)),
            Ok(Some(Duration::from_secs(1))),
        ),
        (json!("tomorrow"), Ok(None)),
        (Value::Null, Ok(None)),
    ] {
        let token = jwt(&json!({ "exp": exp }));
        for form in [SecretForm::Jwt, SecretForm::Token] {
            let checked = check(form, &token).map_err(|defect| {
                assert!(
                    matches!(defect, PresentedTokenDefect::Expired { .. }),
                    "{defect}"
                );
            });
            assert_eq!(checked, expected, "{exp}");
        }
    }
}

#[test]
fn an_encrypted_jwt_is_presented_and_one_with_a_part_missing_is_not() {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = part(&json!({ "alg": "RSA-OAEP", "enc": "A256GCM" }).to_string());
    let rest = [part("key"), part("iv"), part("content"), part("tag")];
    let whole = format!("{header}.{}", rest.join("."));
    assert_eq!(check(SecretForm::Jwt, &whole), Ok(None));
    let direct = format!("{header}..{}", rest[1..].join("."));
    assert_eq!(check(SecretForm::Jwt, &direct), Ok(None));
    let signed = part(&json!({ "alg": "RS256" }).to_string());
    for cut in [
        format!("{header}.{}", rest[..3].join(".")),
        format!("{header}.{}.", rest[..3].join(".")),
        format!("{whole}.x"),
        format!("{signed}.{}", rest.join(".")),
        format!("{whole} "),
    ] {
        let checked = check(SecretForm::Jwt, &cut);
        assert_eq!(checked, Err(PresentedTokenDefect::NotJwt), "{cut}");
    }
}

#[test]
fn only_what_must_be_a_jwt_is_rejected_if_it_is_none() {
    let good = jwt(&json!({ "sub": "me" }));
    let unsigned = good.trim_end_matches("c2ln");
    let spaced = format!("{good} ");
    let texts = [
        "",
        "opaque",
        "a.b.c",
        "{}",
        "\"eyJ.eyJ.x\"",
        "e30.e30",
        unsigned,
        &spaced,
    ];
    assert_eq!(check(SecretForm::Jwt, &good), Ok(None));
    for text in texts {
        assert_eq!(
            check(SecretForm::Jwt, text),
            Err(PresentedTokenDefect::NotJwt),
            "{text}"
        );
        assert_eq!(check(SecretForm::Token, text), Ok(None), "{text}");
        assert_eq!(check(SecretForm::Text, text), Ok(None), "{text}");
    }
}

#[test]
fn a_token_for_the_api_of_the_cluster_is_never_presented() {
    let cluster = "https://kubernetes.default.svc.cluster.local";
    let pod = json!({ "namespace": "ci" });
    for claims in [
        json!({ "iss": "kubernetes/serviceaccount" }),
        json!({ "iss": cluster, "aud": [cluster], "kubernetes.io": pod }),
        json!({ "iss": cluster, "aud": cluster, "kubernetes.io": pod }),
        json!({ "iss": "https://oidc.eks.example/id/1", "aud": ["https://kubernetes.default.svc"], "kubernetes.io": pod }),
        json!({ "iss": "https://oidc.eks.example/id/1", "aud": ["https://as.example", "https://oidc.eks.example/id/1"], "kubernetes.io": pod }),
        json!({ "iss": cluster, "kubernetes.io": pod }),
        json!({ "iss": "https://api.internal.example", "aud": ["kubernetes.svc.default"], "kubernetes.io": pod }),
    ] {
        assert_eq!(
            check(SecretForm::Jwt, &jwt(&claims)),
            Err(PresentedTokenDefect::ForCluster),
            "{claims}"
        );
    }
    for claims in [
        json!({ "iss": cluster, "aud": ["https://as.example.com"], "kubernetes.io": pod }),
        json!({ "iss": "https://as.example.com", "aud": "https://as.example.com" }),
    ] {
        assert_eq!(check(SecretForm::Jwt, &jwt(&claims)), Ok(None), "{claims}");
    }
}

#[test]
fn whatever_kubernetes_mounts_for_its_own_api_is_never_presented() {
    let token = jwt(&json!({ "iss": "https://as.example.com" }));
    for (path, expected) in [
        (
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            Err(PresentedTokenDefect::ForCluster),
        ),
        ("/var/run/secrets/tokens/token", Ok(None)),
    ] {
        let source = RequestSource {
            source: SecretSource::File(path.into()),
            ..source(SecretForm::Jwt)
        };
        let checked = check_presented(&source, token.as_bytes(), UNIX_EPOCH);
        assert_eq!(checked, expected, "{path}");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_is_recognized_by_whatever_path_leads_there() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("run"), directory.path().join("var"));
    std::fs::create_dir_all(real.join("default/..data")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::fs::write(real.join("default/..data/token"), "t").unwrap();
    std::os::unix::fs::symlink("..data/token", real.join("default/token")).unwrap();
    for path in [real.join("default/token"), link.join("default/token")] {
        assert!(is_in(&path, &link.join("default")), "{}", path.display());
        assert!(is_in(&path, &real.join("default")), "{}", path.display());
        assert!(!is_in(&path, &real.join("other")), "{}", path.display());
    }
}
