//! Every common form of private key is read; everything else has an error of its own.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::json;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::private_key::SigningPair;
use super::*;
use crate::config::Algorithm;

/// The example of RFC 7638 3.1, and its thumbprint.
const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
const RFC_7638_THUMBPRINT: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

/// RFC 7517 A.2: a private EC key on P-256.
const EC_JWK: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"1"}"#;

fn read(text: &str) -> Result<PrivateKey, PrivateKeyError> {
    PrivateKey::read(text.as_ref())
}

fn pem(algorithm: Algorithm) -> String {
    String::from_utf8(generate_key(algorithm).unwrap().private.expose().to_vec()).unwrap()
}

#[test]
fn a_thumbprint_is_computed_as_in_the_rfc() {
    let members = format!(r#"{{"e":"AQAB","kty":"RSA","n":"{RFC_7638_N}"}}"#);
    let own = json!({ "e": "AQAB", "kty": "RSA", "n": RFC_7638_N }).to_string();
    assert_eq!(own, members, "without spaces, in this order");
    assert_eq!(
        URL_SAFE_NO_PAD.encode(digest(&SHA256, own.as_bytes())),
        RFC_7638_THUMBPRINT
    );
    let key = read(&pem(Algorithm::Rs256)).unwrap();
    let text = key.public().to_string();
    assert!(
        text.starts_with(r#"{"e":"AQAB","kty":"RSA","n":""#),
        "{text}"
    );
    let text = read(EC_JWK).unwrap().public().to_string();
    assert!(
        text.starts_with(r#"{"crv":"P-256","kty":"EC","x":"MKBCTN"#),
        "{text}"
    );
}

#[test]
fn the_public_half_of_a_new_key_verifies_its_signatures() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let new = generate_key(algorithm).unwrap();
        let key = PrivateKey::read(new.private.expose()).unwrap();
        assert_eq!(key.algorithm(None), Ok(algorithm));
        assert_eq!(key.id(None), new.id);
        let public = &new.public["keys"][0];
        assert_eq!(public["kid"], new.id.as_str());
        assert_eq!(public["alg"], algorithm.as_str());
        assert!(public.get("d").is_none(), "{public}");
        let signature = key.sign(algorithm, b"message").unwrap();
        let verified = match &key.pair {
            SigningPair::Rsa(pair) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                    .verify(b"message", &signature)
            }
            SigningPair::Ec(pair) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                    .verify(b"message", &signature)
            }
        };
        assert!(verified.is_ok());
    }
}

#[test]
fn a_jwk_supplies_its_id_and_algorithm_unless_they_are_configured() {
    let key = read(EC_JWK).unwrap();
    assert_eq!(key.id(None), "1");
    assert_eq!(key.id(Some("2")), "2");
    let meant = EC_JWK.replace("\"use\":\"enc\"", "\"alg\":\"ES256\"");
    assert_eq!(read(&meant).unwrap().algorithm(None), Ok(Algorithm::Es256));
}

#[test]
fn every_unusable_key_has_an_error_of_its_own_that_quotes_nothing() {
    let certificate = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let rsa = pem(Algorithm::Rs256);
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let cases = [
        ("hunter2hunter2".to_owned(), PrivateKeyError::Unknown),
        (
            certificate.cert.pem(),
            PrivateKeyError::OtherPem("certificate"),
        ),
        (
            certificate.signing_key.public_key_pem(),
            PrivateKeyError::OtherPem("public key"),
        ),
        (
            rsa.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            PrivateKeyError::Encrypted,
        ),
        (rsa[..400].to_owned(), PrivateKeyError::Pem),
        (rsa.replace("MIIE", "!!!!"), PrivateKeyError::Pem),
        (rsa.replace("MIIE", "AAAA"), PrivateKeyError::Invalid),
        (p384.serialize_pem(), PrivateKeyError::Invalid),
        ("{".to_owned(), PrivateKeyError::NotJwk),
        ("{}".to_owned(), PrivateKeyError::NotJwk),
        (format!("[{EC_JWK}]"), PrivateKeyError::KeySet),
        (format!(r#"{{"keys":[{EC_JWK}]}}"#), PrivateKeyError::KeySet),
        (
            r#"{"kty":"oct","k":"aHVudGVyMg"}"#.to_owned(),
            PrivateKeyError::UnsupportedType,
        ),
        (
            EC_JWK.replace("P-256", "P-521"),
            PrivateKeyError::UnsupportedType,
        ),
        (
            EC_JWK.replace("\"use\":\"enc\"", "\"alg\":\"PS256\""),
            PrivateKeyError::UnsupportedType,
        ),
        (
            EC_JWK.replace("\"d\"", "\"x-d\""),
            PrivateKeyError::PublicOnly,
        ),
        (EC_JWK.replace("870MB6", "970MB6"), PrivateKeyError::Invalid),
        (
            format!(r#"{{"kty":"RSA","n":"{RFC_7638_N}","e":"AQAB"}}"#),
            PrivateKeyError::PublicOnly,
        ),
        (
            EC_JWK.replace("\"use\":\"enc\"", "\"alg\":\"RS256\""),
            PrivateKeyError::Mismatch {
                algorithm: Algorithm::Rs256,
                key_type: "EC",
            },
        ),
    ];
    for (text, expected) in cases {
        let error = read(&text).err().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(error, expected, "{text}");
        let shown = format!("{error} {error:?} {}", error.remedy());
        assert!(
            !shown.contains("hunter2") && !shown.contains("870MB6"),
            "{shown}"
        );
    }
}

#[test]
fn the_public_half_and_the_thumbprint_are_those_that_another_library_reads() {
    let key = read(EC_JWK).unwrap();
    let expected = json!({
        "crv": "P-256",
        "kty": "EC",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    assert_eq!(key.public(), expected);
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let generated = generate_key(algorithm).unwrap();
        let jwk: Jwk = serde_json::from_value(generated.public["keys"][0].clone()).unwrap();
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).unwrap();
        assert_eq!(thumbprint, generated.id);
    }
}
